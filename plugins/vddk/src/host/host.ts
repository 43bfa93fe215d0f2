// What runs the library for one open disk.

import type { Located } from "../engine/locate.ts";
import type { IoJob, OpenedDisk, OpenSpec } from "../jobs.ts";
import type { SharedMemory } from "./memory.ts";

/** An open disk, in a thread or process. */
export interface OpenHost {
  readonly disk: OpenedDisk;
  readonly memory: SharedMemory;
  /** Has a job done. Jobs are done in the order in which they are asked for. */
  call(job: IoJob): Promise<unknown>;
  /** Closes the disk once all jobs are done, and ends what is not needed any more. */
  close(): Promise<void>;
}

/** How a host is opened. */
export interface HostOptions {
  readonly located: Located;
  readonly config: string | null;
  /** Milliseconds for each job. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/** Opens a disk. */
export type OpenOnHost = (options: HostOptions, spec: OpenSpec) => Promise<OpenHost>;
