// The lines of a log, as nbdkit writes them: https://libguestfs.org/nbdkit-log-filter.1.html, "LOG FILE FORMAT".

import type { Extent } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";
import { errorCode } from "../../contract/error.ts";
import type { OpenRequest } from "../../contract/plugin.ts";

/** What happened. */
export interface LogEntry {
  /** When: milliseconds since 1970, with fractions. */
  readonly time: number;
  readonly action:
    | "Ready"
    | "Fork"
    | "Preconnect"
    | "ListExports"
    | "Connect"
    | "Read"
    | "Write"
    | "Zero"
    | "Trim"
    | "Extents"
    | "Cache"
    | "Flush"
    | "Disconnect";
  /** Something begins, it ends, or it is told once. */
  readonly type: "ENTER" | "LEAVE" | "PRINT";
  /** Which client, counted from 1; absent where there is none yet. */
  readonly connection?: number | undefined;
  /** What the two entries of one request have in common. */
  readonly id?: number | undefined;
  /** Everything else, as the line has it: `offset=0x0 count=0x200`. */
  readonly parameters: string;
}

/** The entry as a line, without its end. */
export function formatLine({ time, action, type, connection, id, parameters }: LogEntry): string {
  const who = connection === undefined ? "" : ` connection=${connection}`;
  const what = ` ${type === "LEAVE" ? "..." : ""}${action}`;
  const which = id === undefined ? "" : ` id=${id}`;
  return `${timestamp(time)}${who}${what}${which}${parameters === "" ? "" : ` ${parameters}`}${type === "ENTER" ? " ..." : ""}`;
}

/** `2026-11-21 05:12:16.099746`, in UTC. */
function timestamp(time: number): string {
  const whole = Math.floor(time);
  const microseconds = Math.floor((time - whole) * 1000);
  return `${new Date(whole).toISOString().slice(0, -1).replace("T", " ")}${String(microseconds).padStart(3, "0")}`;
}

/** The entry as assignments of a shell, each on a line of its own but for the parameters. */
export function formatAssignments({ action, type, connection, id, parameters }: LogEntry): string {
  return [
    `act=${action}`,
    ...(connection === undefined ? [] : [`connection=${connection}`]),
    `type=${type}`,
    ...(id === undefined ? [] : [`id=${id}`]),
    parameters,
    "",
  ].join("\n");
}

/** A text as a shell takes it. */
export function quote(text: string): string {
  return /^[A-Za-z0-9,\-./:=_]+$/.test(text) ? text : `"${text.replace(/["$\\`]/g, "\\$&")}"`;
}

export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** What became of something: the end of a line. */
export function outcome(failure: { readonly error: unknown } | undefined): string {
  return failure === undefined ? "return=0" : `return=-1 error=${errorCode(failure.error)}`;
}

/** What a client that connects gets. */
export function describeDisk({ size, blockSize, capabilities: can }: Disk, { exportName, tls, readonly }: OpenRequest): string {
  const write = can.write && !readonly;
  const numbers = {
    tls,
    size: hex(size),
    minsize: hex(blockSize?.minimum ?? 0),
    prefsize: hex(blockSize?.preferred ?? 0),
    maxsize: hex(blockSize?.maximum ?? 0),
    write,
    flush: can.flush,
    rotational: can.rotational,
    trim: write && can.trim,
    zero: write ? (can.zero ? 2 : 1) : 0,
    fua: write ? degrees[can.fua] : 0,
    extents: can.extents,
    cache: degrees[can.cache],
    fast_zero: write && can.fastZero,
  };
  const pairs = Object.entries(numbers).map(([key, value]) => `${key}=${typeof value === "boolean" ? Number(value) : value}`);
  return [`export=${quote(exportName)}`, ...pairs].join(" ");
}

const degrees = { none: 0, emulate: 1, native: 2 } as const;

/** `extents=(0x0 0x8000 "" 0x8000 0x8000 "hole,zero")` */
export function describeExtents(extents: readonly Extent[]): string {
  const parts = extents.map(({ offset, length, hole, zero }) => {
    const kind = [...(hole ? ["hole"] : []), ...(zero ? ["zero"] : [])].join(",");
    return `${hex(offset)} ${hex(length)} "${kind}"`;
  });
  return `extents=(${parts.join(" ")})`;
}
