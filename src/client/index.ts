// The client: disks that an NBD server exports.

// How the server is named, for those who choose the export later.
export { formatUri, parseUri, type UriParts } from "../protocol/uri.ts";
export { connect, connectStream } from "./connect.ts";
export { type ListContextsOptions, listContexts, listExports } from "./list.ts";
export type { ConnectOptions, ConnectStreamOptions, Negotiated, ReachOptions, RemoteDisk } from "./options.ts";
