// What a server has to offer, asked without opening a disk.

import type { ExportInfo } from "../contract/plugin.ts";
import { negotiateContextList, negotiateList } from "../protocol/client-negotiation.ts";
import type { Script } from "../protocol/client-script.ts";
import { parseUri, type UriParts } from "../protocol/uri.ts";
import { about } from "./connect.ts";
import { negotiate } from "./negotiate.ts";
import { openSocket } from "./open-socket.ts";
import { checkTimeout, type ReachOptions } from "./options.ts";
import { whenAborted } from "./when-aborted.ts";

/** Which contexts to look for. */
export interface ListContextsOptions extends ReachOptions {
  /** Names, or namespaces with their colon (`qemu:`), which stand for all that is in them. Default: every context there is. */
  readonly queries?: readonly string[];
}

/**
 * Lists the exports of a server. The export name in the URI has no part in it.
 *
 * @throws as {@link connect} does; EACCES where the server keeps its list to itself
 * @example
 * ```ts
 * for (const { name, description } of await listExports("nbd://localhost")) console.log(name, description);
 * ```
 */
export function listExports(uri: string, options: ReachOptions = {}): Promise<ExportInfo[]> {
  return consult(uri, options, () => negotiateList());
}

/**
 * Lists the block-status contexts that an export offers, `base:allocation` among them. None where the server has no block status.
 *
 * @throws as {@link connect} does
 */
export function listContexts(uri: string, options: ListContextsOptions = {}): Promise<string[]> {
  return consult(uri, options, ({ exportName }) => negotiateContextList(exportName, options.queries ?? []));
}

async function consult<T>(uri: string, options: ReachOptions, script: (parts: UriParts) => Script<T>): Promise<T> {
  checkTimeout("timeout", options.timeout);
  const parts = parseUri(uri);
  options.signal?.throwIfAborted();
  const channel = openSocket(parts);
  const release = whenAborted(options.signal, (reason) => channel.fail(reason));
  try {
    const answer = await negotiate(channel, script(parts), options.timeout);
    void channel.finish();
    return answer;
  } catch (error) {
    throw about(uri, error);
  } finally {
    release();
  }
}
