// The public surface of diskwright.

export type { ConnectOptions, ConnectStreamOptions, ListContextsOptions, Negotiated, ReachOptions, RemoteDisk } from "./client/index.ts";
export { connect, connectStream, listContexts, listExports } from "./client/index.ts";
export { type Duration, parseDuration } from "./common/duration.ts";
export { type Probability, parseProbability } from "./common/probability.ts";
export { readSecret, type Secret } from "./common/secret.ts";
export { type Awaitable, isPromise } from "./contract/awaitable.ts";
export { type Clock, systemClock } from "./contract/clock.ts";
export type { BlockSize, Connection, Context, Extent, StatusExtent, Traits } from "./contract/connection.ts";
export type { Capabilities, Disk, DiskContext } from "./contract/disk.ts";
export { DiskError, type DiskErrorOptions } from "./contract/error.ts";
export { type FilterOptions, filter, type Overrides } from "./contract/filter.ts";
export type { ExtentFlags, WriteFlags, ZeroFlags } from "./contract/flags.ts";
export { type OpenDiskOptions, openDisk } from "./contract/open.ts";
export { pipe } from "./contract/pipe.ts";
export type {
  ClientInfo,
  Concurrency,
  ExportInfo,
  Filter,
  OpenRequest,
  Peer,
  PeerProcess,
  Plugin,
  StartContext,
} from "./contract/plugin.ts";
export { parseSize, type Size } from "./contract/size.ts";
export { Turns } from "./contract/turns.ts";
export { unlessAborted } from "./contract/unless-aborted.ts";
export { type BlocksizeOptions, blocksize } from "./filters/blocksize.ts";
export { type CacheMode, type CacheOptions, cache } from "./filters/cache.ts";
export { checkwrite } from "./filters/checkwrite.ts";
export { type CowOptions, cow } from "./filters/cow.ts";
export { type DelayOptions, delay } from "./filters/delay.ts";
export { type ErrorOptions, error, type InjectedError, type Injection } from "./filters/error.ts";
export { exitLast } from "./filters/exitlast.ts";
export { type ExitWhenOptions, exitWhen } from "./filters/exitwhen.ts";
export { type ExportNameOptions, exportName } from "./filters/exportname.ts";
export { extentList } from "./filters/extentlist.ts";
export { type FuaMode, type FuaOptions, fua } from "./filters/fua.ts";
export { type GzipOptions, gzip } from "./filters/gzip.ts";
export { type IpOptions, ip } from "./filters/ip.ts";
export { type LimitOptions, limit } from "./filters/limit.ts";
export { type LogEntry, type LogOptions, log } from "./filters/log.ts";
export { type FormatLuksOptions, formatLuks, type LuksKdf, type LuksOptions, luks } from "./filters/luks.ts";
export { type NocacheOptions, nocache } from "./filters/nocache.ts";
export { noextents } from "./filters/noextents.ts";
export { type NozeroOptions, nozero } from "./filters/nozero.ts";
export { type OffsetOptions, offset } from "./filters/offset.ts";
export { type PartitionOptions, partition } from "./filters/partition.ts";
export { type PauseFilter, type PauseOptions, pause } from "./filters/pause.ts";
export { type ProtectedRange, protect } from "./filters/protect.ts";
export { type BitRate, type RateOptions, rate } from "./filters/rate.ts";
export { readahead } from "./filters/readahead.ts";
export { type ReadonlyOptions, readonly } from "./filters/readonly.ts";
export { type RetryOptions, retry } from "./filters/retry.ts";
export { type OperationStats, type Stats, type StatsFilter, type StatsOptions, stats } from "./filters/stats.ts";
export { type SwabOptions, swab } from "./filters/swab.ts";
export { type TarOptions, tar } from "./filters/tar.ts";
export { type TruncateOptions, truncate } from "./filters/truncate.ts";
export type { DiskSource } from "./plugins/composed/sources.ts";
export { type DataContent, type DataOptions, data } from "./plugins/data.ts";
export { type EvalOptions, evalScripts, type ScriptMethod } from "./plugins/eval.ts";
export { type FileOptions, type FileSource, file } from "./plugins/file.ts";
export { type FloppyOptions, floppy } from "./plugins/floppy.ts";
export { full } from "./plugins/full.ts";
export { type InfoMode, type InfoOptions, info } from "./plugins/info.ts";
export { type IsoOptions, iso } from "./plugins/iso.ts";
export { type Allocator, type MemoryOptions, type MemoryStore, memory } from "./plugins/memory.ts";
export { type NbdOptions, type NbdTarget, nbd } from "./plugins/nbd.ts";
export { nullDisk } from "./plugins/null.ts";
export { type OnesOptions, ones } from "./plugins/ones.ts";
export { type PartitioningOptions, type PartitionSource, partitioning } from "./plugins/partitioning.ts";
export { pattern } from "./plugins/pattern.ts";
export { type RandomOptions, random } from "./plugins/random.ts";
export type { ScriptParameters } from "./plugins/script/plugin.ts";
export { type ShOptions, sh } from "./plugins/sh.ts";
export { type SparseRandomOptions, sparseRandom } from "./plugins/sparse-random.ts";
export { split } from "./plugins/split.ts";
export { zeroDisk } from "./plugins/zero.ts";
export type { ReplyMode } from "./protocol/replies.ts";
export type {
  Address,
  CloseOptions,
  ConnectionEvent,
  ErrorEvent,
  Export,
  Limits,
  ListeningServer,
  RequestEvent,
  ServeOptions,
  Server,
  Source,
} from "./server/index.ts";
export { serve } from "./server/index.ts";
