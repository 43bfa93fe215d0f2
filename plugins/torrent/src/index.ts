// The public surface of @diskwright/torrent.

export type { TorrentOptions, TorrentProgress } from "./options.ts";
export { torrent } from "./torrent.ts";
