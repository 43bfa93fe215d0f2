// The http plugin: a file on a web server as a read-only disk, read by ranges.

import { setMaxListeners } from "node:events";
import type { Connection, OpenRequest, Plugin } from "diskwright";
import type { Dispatcher } from "undici";
import { makeAgent } from "./agent.ts";
import { Credentials } from "./credentials.ts";
import { Mirror } from "./mirror.ts";
import { Mirrors } from "./mirrors.ts";
import { check, type HttpOptions, type Settings } from "./options.ts";
import { reader } from "./reader.ts";

/**
 * A file on a web server as a disk that can be read. Nothing is downloaded but what is read, by ranges, so the server has to know Range requests.
 *
 * The version of the file is that of the time at which a client comes. When the file changes later, what that client reads fails with EIO: it
 * never sees a mix of two versions.
 *
 * @param target - the URL, or those of mirrors, which are used in turn when one fails. They are trusted to have the same bytes; that they have
 *   the same size is checked
 * @throws DiskError EINVAL when a URL or an option is not what it should be
 * @example
 * ```ts
 * await using disk = await openDisk(http("https://example.com/disk.img"));
 * const sector = new Uint8Array(512);
 * await disk.read(sector, 0n);
 * ```
 * @example A token that lasts for a minute
 * ```ts
 * const disk = http("https://example.com/disk.img", {
 *   headers: async ({ signal }) => ({ authorization: `Bearer ${await myToken(signal)}` }),
 *   renewAfter: 50,
 * });
 * ```
 */
export function http(target: string | URL | readonly (string | URL)[], options: HttpOptions = {}): Plugin {
  const settings = check(target, options);
  let shared: Shared | undefined;
  return {
    name: "http",
    async start({ signal }) {
      const credentials = settings.urls.map((url) => new Credentials(url, settings, signal));
      shared = { dispatcher: await makeAgent(settings), credentials };
    },
    open(request) {
      if (shared === undefined) throw new Error("http has not been started");
      return open(settings, shared, request);
    },
    async close() {
      const ending = shared;
      shared = undefined;
      // Every client is gone: what is still under way was read ahead for nobody.
      await ending?.dispatcher.destroy();
    },
  };
}

/** What all clients share. */
interface Shared {
  readonly dispatcher: Dispatcher;
  /** One for each URL. */
  readonly credentials: readonly Credentials[];
}

async function open(settings: Settings, { dispatcher, credentials }: Shared, request: OpenRequest): Promise<Connection> {
  const ended = new AbortController();
  const { signal } = ended;
  // As many listeners as there are requests under way.
  setMaxListeners(0, signal);
  const end = (): void => ended.abort(request.signal.reason);
  request.signal.addEventListener("abort", end, { once: true });
  const close = (): void => {
    request.signal.removeEventListener("abort", end);
    ended.abort();
  };
  try {
    request.signal.throwIfAborted();
    const mirrors = settings.urls.map(
      (url, index) => new Mirror({ dispatcher, settings, credentials: credentials[index] as Credentials, signal, url }),
    );
    const source = new Mirrors(mirrors, settings, signal);
    const size = await source.open();
    const read = reader(source, size, settings);
    return { size: BigInt(size), traits: { multiConn: true, cache: "none" }, read, close };
  } catch (error) {
    close();
    throw error;
  }
}
