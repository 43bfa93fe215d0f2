// What is asked of the thread or process in which the library runs, and what it answers.

/** How a disk is opened: {@link OpenJob}. Texts are in UTF-8, without a zero byte at their end. */
export interface OpenSpec {
  readonly file: string;
  readonly readonly: boolean;
  /** VIXDISKLIB_FLAG_OPEN_… */
  readonly flags: number;
  readonly remote?: RemoteSpec;
  readonly snapshot?: string;
  readonly transports?: string;
  readonly create?: CreateSpec;
}

/** Where a disk that is no local file lies. */
export interface RemoteSpec {
  readonly vm: string;
  readonly server: string;
  readonly thumbprint: string;
  readonly user?: string;
  readonly password?: Uint8Array;
  readonly cookie?: Uint8Array;
  readonly port: number;
  readonly nfcHostPort: number;
}

/** A disk that is made before it is opened, in the numbers of VixDiskLibCreateParams. */
export interface CreateSpec {
  readonly type: number;
  readonly adapter: number;
  readonly hardware: number;
  readonly sectors: bigint;
}

/** An open disk: pointers of the library's process, which mean nothing elsewhere. */
export interface OpenedDisk {
  readonly parameters: bigint;
  readonly connection: bigint;
  readonly handle: bigint;
  /** C strings that belong to the parameters, to be wiped and freed with them. */
  readonly texts: readonly CText[];
  /** Sectors. */
  readonly capacity: bigint;
  /** Whether it knows which blocks are allocated; if not, why. */
  readonly allocation: true | string;
  /** How the library gets at the disk: `file`, `nbdssl`, `hotadd` … */
  readonly transport: string;
}

/** A string in C's memory. */
export interface CText {
  readonly at: bigint;
  readonly length: number;
}

/** One call, or a few that belong together. `at` counts bytes from the start of the memory that both sides share. */
export type Job =
  /** Nothing: answered once the library is loaded. */
  | { readonly op: "load" }
  | { readonly op: "init"; readonly libdir: string; readonly config: string | null }
  | { readonly op: "open"; readonly spec: OpenSpec }
  | { readonly op: "close"; readonly disk: OpenedDisk }
  | { readonly op: "exit" }
  | IoJob;

/** What is asked of an open disk. */
export type IoJob =
  | { readonly op: "read"; readonly handle: bigint; readonly sector: bigint; readonly count: number; readonly at: number }
  /** Bytes `skip` to `skip + length` of whole sectors are new; what is beside them in these sectors stays as it is on the disk. */
  | {
      readonly op: "write";
      readonly handle: bigint;
      readonly sector: bigint;
      readonly skip: number;
      readonly length: number;
      readonly at: number;
    }
  | { readonly op: "flush"; readonly handle: bigint }
  /** Answered with pairs of sector and length, ascending and merged. */
  | { readonly op: "allocated"; readonly handle: bigint; readonly sector: bigint; readonly count: bigint };

/** A job on its way. */
export interface Message {
  readonly id: number;
  readonly job: Job;
}

/** What became of it. */
export type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly failure: Failure };

/** Why a job failed. `call` and `number` are there where it was the library that refused. */
export interface Failure {
  readonly text: string;
  readonly call?: string;
  /** VixError; its lower 16 bits say what happened. */
  readonly number?: number;
}

/** The unit in which the library counts. */
export const SECTOR = 512;
/** The unit in which it knows what is allocated: VIXDISKLIB_MIN_CHUNK_SIZE, in sectors. */
export const CHUNK = 128;
