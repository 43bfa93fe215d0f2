// LUKS disks for tests: made by cryptsetup, or by ourselves, with key derivations that take no time.

import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Disk, openDisk, pipe } from "../../../src/contract/index.ts";
import { parseEncryption } from "../../../src/filters/luks/encryption.ts";
import { type Format1, format1 } from "../../../src/filters/luks/format1.ts";
import { type Format2, format2 } from "../../../src/filters/luks/format2.ts";
import { type LuksOptions, luks } from "../../../src/filters/luks.ts";
import { type Ram, ram } from "../../../src/testing/ram.ts";
import { run } from "../../fixtures/run.ts";

export const PASSPHRASE = "correct horse";
const salt = new Uint8Array(32).fill(7);
const uuid = "01234567-89ab-cdef-0123-456789abcdef";

/** A folder that is gone after the test, with the passphrase in `secret`. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "diskwright-test-luks-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  writeFileSync(join(path, "secret"), PASSPHRASE);
  return path;
}

/** An image of `size` bytes that cryptsetup made. */
export async function cryptsetupImage(path: string, size: number, ...argv: readonly string[]): Promise<string> {
  const image = join(path, "disk.img");
  writeFileSync(image, "");
  truncateSync(image, size);
  const quick =
    argv.includes("argon2id") || argv.includes("argon2i") ? ["--pbkdf-force-iterations", "4"] : ["--pbkdf-force-iterations", "1000"];
  if (!argv.some((each) => each.startsWith("argon2")) && argv.includes("luks2")) quick.push("--pbkdf", "pbkdf2");
  await cryptsetup(path, "luksFormat", ...argv, ...quick, image);
  return image;
}

/** Runs cryptsetup with the passphrase as its key file. */
export async function cryptsetup(path: string, ...argv: readonly string[]): Promise<string> {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const { stdout } = await run("cryptsetup", ["--batch-mode", "--key-file", join(path, "secret"), ...argv], { env, timeout: 60_000 });
  return stdout.toString();
}

/** What qemu reads from a LUKS1 image. */
export async function qemuRead(path: string, image: string): Promise<Buffer> {
  const plain = join(path, "plain.img");
  await run(
    "qemu-img",
    [
      "convert",
      ...["--object", `secret,id=s,file=${join(path, "secret")}`],
      ...["--image-opts", `driver=luks,key-secret=s,file.filename=${image}`],
      ...["-O", "raw", plain],
    ],
    { timeout: 60_000 },
  );
  return readFileSync(plain);
}

/** The content of an image file as a disk in memory, and the file's name again once it is to be written back. */
export function ramOf(image: string): { readonly below: Ram; save(): string } {
  const below = ram(readFileSync(image));
  return {
    below,
    save() {
      const copy = `${image}.changed`;
      copyFileSync(image, copy);
      writeFileSync(copy, below.bytes);
      return copy;
    },
  };
}

/** Opens the encrypted disk; it is closed after the test. */
export async function unlocked(below: Ram, options: Partial<LuksOptions> = {}): Promise<Disk> {
  const disk = await openDisk(pipe(below, luks({ passphrase: PASSPHRASE, ...options })));
  onTestFinished(() => disk.close());
  return disk;
}

/** All of a disk. */
export async function contentOf(disk: Disk): Promise<Buffer> {
  const content = Buffer.alloc(Number(disk.size));
  await disk.read(content, 0n);
  return content;
}

/** Bytes that repeat nowhere near. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** The bytes of a small LUKS1 disk of our own making, and its volume key. Two stripes instead of 4000, so that the fuzzer is quick. */
export async function small1(
  options: Partial<Format1> & { readonly cipher?: string; readonly keySize?: number; readonly payload?: number } = {},
): Promise<{
  readonly bytes: Uint8Array;
  readonly key: Uint8Array;
}> {
  const { cipher = "aes-xts-plain64", keySize = 64, payload = 256 * 1024, ...rest } = options;
  const format: Format1 = {
    encryption: parseEncryption(cipher, keySize, "the test's disk"),
    kdf: { type: "pbkdf2", hash: "sha256", iterations: 1000, salt },
    stripes: 2,
    uuid,
    payloadOffset: 65_536n,
    ...rest,
  };
  return laidOut(format.payloadOffset, payload, keySize, (key) => format1(format, Buffer.from(PASSPHRASE), key));
}

/** As {@link small1}, of LUKS2. */
export async function small2(
  options: Partial<Format2> & { readonly cipher?: string; readonly keySize?: number; readonly payload?: number } = {},
): Promise<{
  readonly bytes: Uint8Array;
  readonly key: Uint8Array;
}> {
  const { cipher = "aes-xts-plain64", keySize = 64, payload = 256 * 1024, ...rest } = options;
  const format: Format2 = {
    encryption: parseEncryption(cipher, keySize, "the test's disk"),
    kdf: { type: "pbkdf2", hash: "sha256", iterations: 1000, salt },
    hash: "sha256",
    stripes: 2,
    label: "test",
    uuid,
    sectorSize: 512,
    payloadOffset: 65_536n,
    ...rest,
  };
  return laidOut(format.payloadOffset, payload, keySize, (key) => format2(format, Buffer.from(PASSPHRASE), key));
}

async function laidOut(
  payloadOffset: bigint,
  payload: number,
  keySize: number,
  format: (key: Uint8Array) => Promise<ReadonlyMap<bigint, Uint8Array>>,
): Promise<{ readonly bytes: Uint8Array; readonly key: Uint8Array }> {
  const key = pattern(keySize, 99);
  const bytes = new Uint8Array(Number(payloadOffset) + payload);
  for (const [offset, piece] of await format(key)) bytes.set(piece, Number(offset));
  bytes.set(pattern(payload), Number(payloadOffset));
  return { bytes, key };
}
