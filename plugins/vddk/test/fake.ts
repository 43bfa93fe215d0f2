// VDDK distributions for tests, with the library that fakevddk.c makes.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";

/** A distribution, to be given as `libdir`. */
export interface FakeVddk {
  readonly libdir: string;
  /** Where its libraries are. */
  readonly folder: string;
  /** Tells it how to misbehave from now on: see fakevddk.c. */
  control(...lines: string[]): void;
  /** What was called so far. */
  calls(): string[];
  /** Makes a disk of a server's, `[any] thing.vmdk`. */
  remote(content: Uint8Array): void;
}

let built: string | undefined;
const made: string[] = [];

/** Compiles C into a shared library. */
export function compile(source: string, target: string, ...options: string[]): void {
  execFileSync("gcc", ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", target, source, ...options]);
}

/** A new folder, gone after the tests of this file. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "diskwright-vddk-"));
  made.push(path);
  return path;
}

afterAll(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
  built = undefined;
});

/** Makes a distribution. Each has a library of its own, also where several are loaded into one process. */
export function fakeVddk(major = 7): FakeVddk {
  if (built === undefined) {
    built = join(folder(), "fake.so");
    compile(join(import.meta.dirname, "fakevddk.c"), built, "-lpthread", "-ldl");
  }
  const libdir = folder();
  const lib64 = join(libdir, "lib64");
  mkdirSync(lib64);
  copyFileSync(built, join(lib64, `libvixDiskLib.so.${major}`));
  const calls = (): string[] => {
    try {
      return readFileSync(join(lib64, "calls"), "utf8").trim().split("\n");
    } catch {
      return [];
    }
  };
  return {
    libdir,
    folder: lib64,
    control: (...lines) => writeFileSync(join(lib64, "control"), lines.map((line) => `${line}\n`).join("")),
    calls,
    remote: (content) => writeFileSync(join(lib64, "remote.img"), content),
  };
}

/** Makes a disk: a file of its bytes. */
export function image(content: Uint8Array): string {
  const path = join(folder(), "disk.vmdk");
  writeFileSync(path, content);
  return path;
}

/** The library was used as it may be, and all that was opened was closed. */
export function expectGoodUse(fake: FakeVddk): void {
  const calls = fake.calls();
  expect(calls.filter((call) => call.startsWith("VIOLATION"))).toEqual([]);
  const count = (name: string): number => calls.filter((call) => call.startsWith(name)).length;
  expect(count("Close")).toBe(count("Open"));
  expect(count("Disconnect")).toBe(count("ConnectEx"));
  expect(calls.filter((call) => call.startsWith("Exit")).filter((call) => call !== "Exit, 0 things left behind")).toEqual([]);
}
