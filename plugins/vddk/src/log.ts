// What the library says, on a channel of node:diagnostics_channel and to NODE_DEBUG=diskwright-vddk.

import { type Channel, channel } from "node:diagnostics_channel";
import type { Readable } from "node:stream";
import { debuglog } from "node:util";

/** A message of the library, on the channel `diskwright:vddk.log`. */
export interface VddkMessage {
  readonly level: "log" | "warning";
  readonly text: string;
  /** The disk that the library was opened for. */
  readonly file: string;
}

/** More than that of one line nobody reads. */
const LONGEST = 8192;

const messages: Channel = channel("diskwright:vddk.log");
const debug: (format: string, ...values: unknown[]) => void = debuglog("diskwright-vddk");

/** Tells whoever listens. */
export function publish(message: VddkMessage): void {
  messages.publish(message);
  debug("%s: %s", message.level, message.text);
}

/** Calls `line` for each line of a stream that is not empty. */
export function readLines(stream: Readable | null, line: (text: string) => void): void {
  let rest = "";
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST);
    for (const text of lines) if (text.trim() !== "") line(text.slice(0, LONGEST).trimEnd());
  });
  stream?.on("end", () => rest.trim() !== "" && line(rest.trimEnd()));
  // Whoever breaks off has said all that it will say.
  stream?.on("error", () => undefined);
}
