// What a suite of the comparison is: a disk served by nbdkit and by us, and the rows that are measured on both.

import type { Row } from "./rows.ts";

/** A disk, how both serve it, and what is measured on it. To add one: a file in suites/ and a line in suites.ts. */
export interface Suite {
  /** What `--suite` calls it. */
  readonly name: string;
  /** What is served, for the report: "A file of 1G on ext4, full of data". */
  readonly what: (place: Place) => string;
  readonly rows: readonly Row[];
  /** The plugin, filters and keys, as both take them: what stands after `nbdkit`, and after `diskwright serve`. */
  readonly serve: (place: Place) => readonly string[];
  /** What starts our side where that is not the command: program and parameters. */
  readonly serveOurs?: (place: Place, socket: string) => readonly [string, ...string[]];
  /** Makes what both servers read, once, in `place.shared`. */
  readonly prepare?: (place: Place) => void | Promise<void>;
  /** Makes what one server alone uses, before each of its starts, in `place.own`. */
  readonly prepareOwn?: (place: Place) => void | Promise<void>;
  /** Writes all of the disk through the server before anything is measured, with bytes that are not zero. */
  readonly fill?: boolean;
  /** Also measures how clients come and go, and what they cost. */
  readonly extras?: boolean;
}

/** Where a suite's files are. */
export interface Place {
  /** A folder that both servers see. */
  readonly shared: string;
  /** A folder of the server that is about to start. */
  readonly own: string;
  /** What `--size` says: "1G". */
  readonly size: string;
}
