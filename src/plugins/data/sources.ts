// Files and scripts whose bytes an expression takes: no more of them than it needs.

import { type FileHandle, open } from "node:fs/promises";
import { runChild } from "../../common/child.ts";
import { errorText } from "../../contract/error.ts";
import { bytes, type Content, Painter } from "./content.ts";
import { errorAt, type Place } from "./syntax.ts";

/** Nothing longer than this is read, unless a slice asks for less. */
const MAX_SOURCE = 2n ** 30n;
const CHUNK = 1024 * 1024;
/** How shells say that they could not make sense of a script. */
const NOT_UNDERSTOOD = 2;

/** Reads a file from its start, up to `limit` bytes. */
export async function readFrom(path: string, limit: bigint, place: Place, signal: AbortSignal): Promise<Content> {
  const painter = new Painter();
  let size = 0n;
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    while (size < limit) {
      signal.throwIfAborted();
      const chunk = Buffer.allocUnsafeSlow(limit - size < CHUNK ? Number(limit - size) : CHUNK);
      const { bytesRead } = await file.read(chunk, 0, chunk.length);
      if (bytesRead === 0) break;
      // A short read need not keep a long buffer.
      painter.put(size, bytes(bytesRead < chunk.length ? chunk.subarray(0, bytesRead).slice() : chunk));
      size += BigInt(bytesRead);
      if (size > MAX_SOURCE) throw new Error(`it has more than ${MAX_SOURCE} bytes: take a slice of it, as in <${path}[:1M]`);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw errorAt(place, `cannot read ${path}: ${errorText(error)}`);
  } finally {
    await file?.close();
  }
  return painter.finish(size);
}

/**
 * Runs a shell script and takes what it writes, up to `limit` bytes; then it is ended, if it has not done so itself. What the system's shell cannot
 * make sense of is given to bash, where there is one: many scripts are written for it, and many systems have a plainer one.
 */
export async function runScript(script: string, limit: bigint, place: Place, signal: AbortSignal): Promise<Content> {
  const most = limit < MAX_SOURCE ? limit : MAX_SOURCE;
  // One byte more than is wanted tells a script that goes on from one that has ended.
  const options = { maxOutput: Number(most), truncate: true, signal };
  let result = await runChild("/bin/sh", ["-c", script], options);
  if (result.code === NOT_UNDERSTOOD && BigInt(result.stdout.length) < most) {
    result = await runChild("bash", ["-c", script], options).catch(() => result);
  }
  const size = BigInt(result.stdout.length);
  if (size === most && most < limit) {
    throw errorAt(place, `the script wrote more than ${MAX_SOURCE} bytes: take a slice of it, as in <( … )[:1M]`);
  }
  if (size < most && result.code !== 0) {
    const how = result.code === null ? `was ended by ${result.signal}` : `failed with exit code ${result.code}`;
    const said = result.stderr.trim().slice(0, 1000);
    throw errorAt(place, `the script ${how}${said === "" ? "" : `: ${said}`}`);
  }
  return bytes(result.stdout);
}
