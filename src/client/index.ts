// The client: disks that an NBD server exports.

export { connect, connectStream } from "./connect.ts";
export { type ListContextsOptions, listContexts, listExports } from "./list.ts";
export type { ConnectOptions, ConnectStreamOptions, Negotiated, ReachOptions, RemoteDisk } from "./options.ts";
