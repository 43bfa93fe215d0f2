// A client's wish to use an export, for filters that only read the disk below.

import type { OpenRequest } from "../contract/plugin.ts";

/** The same request for a disk that will not be written: what is below need not be opened for more. */
export function readonlyRequest(request: OpenRequest): OpenRequest {
  const { peer, tls, signal, exportName } = request;
  return { peer, tls, signal, exportName, readonly: true, disconnect: (options) => request.disconnect(options) };
}
