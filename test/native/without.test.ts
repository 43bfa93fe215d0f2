// A machine without koffi, and one that is not known.

import { afterEach, expect, test, vi } from "vitest";
import { bind } from "../../src/native/linux.ts";
import { loadKoffi } from "../../src/native/load.ts";

vi.mock("../../src/native/load.ts", () => ({ loadKoffi: vi.fn() }));
afterEach(() => vi.resetModules());

test("without koffi there are no system calls, and nothing is thrown", async () => {
  vi.mocked(loadKoffi).mockImplementation(() => {
    throw Object.assign(new Error("Cannot find module 'koffi'"), { code: "MODULE_NOT_FOUND" });
  });
  const { native } = await import("../../src/native/index.ts");
  expect(native()).toBeUndefined();
  expect(native()).toBeUndefined();
  expect(vi.mocked(loadKoffi).mock.calls.length, "koffi is looked for once").toBeLessThanOrEqual(1);
});

test("a C library that lacks a call is not used", () => {
  const missing = {
    sizeof: () => 8,
    address: () => 0n,
    errno: () => 0,
    load: () => ({
      func: (prototype: string) => {
        throw new Error(`Cannot find function '${prototype}' in shared library`);
      },
    }),
  };
  expect(() => bind(missing)).toThrow();
});

test("a machine of 32 bits is not used", () => {
  expect(() => bind({ sizeof: () => 4, address: () => 0n, errno: () => 0, load: () => ({ func: () => undefined as never }) })).toThrow(
    /not known/,
  );
});
