// nbdkit's `listen-interfaces=` and `outgoing-interfaces=`, of which one each can be had.

import type { TorrentOptions } from "./options.ts";

/**
 * Reads both keys.
 *
 * @throws Error when one is a list, or no address
 */
export function interfaceOf(
  listen: string | undefined,
  outgoing: string | undefined,
): Pick<TorrentOptions, "host" | "port" | "outgoingAddress"> {
  for (const [key, value] of Object.entries({ "listen-interfaces": listen, "outgoing-interfaces": outgoing })) {
    if (value?.includes(",")) throw new Error(`${key} ${JSON.stringify(value)}: only one can be used`);
  }
  return {
    ...(listen !== undefined && listenAt(listen)),
    ...(outgoing !== undefined && { outgoingAddress: outgoing }),
  };
}

function listenAt(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null)
    throw new Error(`listen-interfaces ${JSON.stringify(text)}: expected ADDRESS:PORT, as in 192.0.2.1:6881 or [::]:6881`);
  return { host: (match[1] ?? match[2]) as string, port: Number(match[3]) };
}
