// Reading passwords so that they need not stand on the command line, where every user of the machine can see them.

import { closeSync, openSync, readSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { isatty } from "node:tty";
import { errorText } from "../contract/error.ts";
import type { Host } from "./host.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Reads a secret as nbdkit does: `-` asks at the terminal (or takes a line of standard input), `+FILE` takes the first line of a file, `-FD` that of
 * an inherited file descriptor, anything else is the secret itself.
 *
 * @param name - what it is the secret of
 * @throws UsageError when it cannot be read
 */
export async function readSecret(text: string, name: string, host: Host): Promise<string> {
  if (text === "-") return isatty(0) ? ask(name, host) : firstLine(0, name);
  if (text.startsWith("+")) return readFile(text.slice(1), name);
  if (!/^-\d+$/.test(text)) return text;
  const fd = Number(text.slice(1));
  if (fd < 3)
    throw new UsageError(`${name}: -${fd} would be standard input, output or error; use - to be asked, or a file descriptor from 3`);
  return firstLine(fd, name);
}

function readFile(path: string, name: string): string {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new UsageError(`${name}: ${errorText(error)}`);
  }
  try {
    return firstLine(fd, name);
  } finally {
    closeSync(fd);
  }
}

/** Reads byte by byte, so that what follows the line is left to others. */
function firstLine(fd: number, name: string): string {
  const bytes: number[] = [];
  try {
    for (let byte = nextByte(fd); byte !== undefined && byte !== 0x0a; byte = nextByte(fd)) bytes.push(byte);
  } catch (error) {
    throw new UsageError(`${name}: cannot read file descriptor ${fd}: ${errorText(error)}`);
  }
  return Buffer.from(bytes).toString("utf8");
}

const AGAIN_MS = 10;

/** The next byte; `undefined` at the end. Waits for it, also where the descriptor was left non-blocking by whoever had it before. */
function nextByte(fd: number): number | undefined {
  const byte = new Uint8Array(1);
  for (;;) {
    try {
      return readSync(fd, byte) === 0 ? undefined : byte[0];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
}

/** Asks without showing what is typed. */
async function ask(name: string, host: Host): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: host.stdin, output: silent, terminal: true });
  // Only now does the terminal show nothing any more.
  host.stderr.write(`${name}: `);
  try {
    return await terminal.question("");
  } finally {
    terminal.close();
    host.stderr.write("\n");
  }
}
