// Values of keys and options, in the spellings that nbdkit takes.

import { closeSync, openSync, readSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Key } from "../../src/cli/catalogue.ts";
import { readBoolean, readInteger, readTime, readValue } from "../../src/cli/values.ts";
import { tree } from "../fixtures/tree.ts";
import { testHost } from "./fixtures/host.ts";

const read = (key: object, text: string) => readValue({ help: "", ...key } as Key, text, "p: k", testHost());

describe("a boolean", () => {
  it.each(["1", "true", "t", "yes", "y", "on", "YES", "On"])("is true as %s", (text) => expect(readBoolean(text, "k")).toBe(true));
  it.each(["0", "false", "f", "no", "n", "off", "FALSE"])("is false as %s", (text) => expect(readBoolean(text, "k")).toBe(false));
  it.each(["", "2", "maybe", " true"])("is nothing else: %j", (text) =>
    expect(() => readBoolean(text, "k")).toThrow(`k ${JSON.stringify(text)}: expected yes or no`),
  );
});

describe("an integer", () => {
  it.each([
    ["0", 0],
    ["42", 42],
    ["-7", -7],
    ["+7", 7],
    ["0x1F", 31],
    ["017", 15],
    ["-0x10", -16],
  ])("is read from %s", (text, value) => expect(readInteger(text, "k")).toBe(value));
  it.each(["", "1.5", "1k", "08", "0x", "nine"])("is not read from %j", (text) =>
    expect(() => readInteger(text, "k")).toThrow("expected a whole number"),
  );
  it("is no larger than a number can be exact", () => expect(() => readInteger("9007199254740993", "k")).toThrow("too large"));
});

describe("a time", () => {
  it.each([
    ["30", 30_000],
    ["1.5", 1500],
    ["2s", 2000],
    ["500ms", 500],
    ["20us", 0.02],
    ["0", 0],
  ])("of %s is read as milliseconds", (text, value) => expect(readTime(text, "k")).toBeCloseTo(value, 9));
  it.each(["", "-1", "1h", "ms"])("is not read from %j", (text) => expect(() => readTime(text, "k")).toThrow("expected seconds"));
});

describe("the value of a key", () => {
  it("is a size, with nbdkit's suffixes", async () => {
    expect(await read({ type: "size" }, "3s")).toBe(1536n);
    expect(await read({ type: "size" }, "1G")).toBe(2n ** 30n);
    await expect(read({ type: "size" }, "1Q")).rejects.toThrow('p: k "1Q": expected bytes');
  });

  it("is a length of time, checked and handed on as it is", async () => {
    expect(await read({ type: "duration" }, "40ms")).toBe("40ms");
    await expect(read({ type: "duration" }, "soon")).rejects.toThrow('p: k "soon": expected seconds');
  });

  it("is a probability", async () => {
    expect(await read({ type: "probability" }, "12.5%")).toBe(0.125);
    await expect(read({ type: "probability" }, "often")).rejects.toThrow('p: k "often": expected "10%"');
  });

  it("is a number", async () => {
    expect(await read({ type: "number" }, "2.5")).toBe(2.5);
    expect(await read({ type: "number" }, "1e3")).toBe(1000);
    await expect(read({ type: "number" }, "Infinity")).rejects.toThrow("expected a number");
  });

  it("is a path, seen from where the command was started", async () => {
    expect(await read({ type: "path" }, "disk.img")).toBe(resolve("disk.img"));
    expect(await read({ type: "path" }, "/dev/zero")).toBe("/dev/zero");
    await expect(read({ type: "path" }, "")).rejects.toThrow("expected a path");
  });

  it("is one of a choice", async () => {
    const key = { type: "choice", values: ["sparse", "malloc"] };
    expect(await read(key, "malloc")).toBe("malloc");
    await expect(read(key, "mallok")).rejects.toThrow('p: k "mallok": expected sparse or malloc: did you mean malloc?');
  });
});

describe("a secret", () => {
  const secret = { type: "secret" };

  it("is the text itself, also one that begins with a dash", async () => {
    expect(await read(secret, "hunter2")).toBe("hunter2");
    expect(await read(secret, "-x")).toBe("-x");
    expect(await read(secret, "")).toBe("");
  });

  it("is the first line of a file after a plus", async () => {
    const directory = tree({ a: "grüße\nsecond line\n", b: "no newline" });
    expect(await read(secret, `+${join(directory, "a")}`)).toBe("grüße");
    expect(await read(secret, `+${join(directory, "b")}`)).toBe("no newline");
    await expect(read(secret, `+${join(directory, "c")}`)).rejects.toThrow(/p: k: ENOENT/);
  });

  it("is a line of a file descriptor after a dash, and what follows is left there", async () => {
    const fd = openSync(join(tree({ a: "first\nrest" }), "a"), "r");
    try {
      expect(await read(secret, `-${fd}`)).toBe("first");
      const rest = Buffer.alloc(9);
      expect(rest.subarray(0, readSync(fd, rest)).toString()).toBe("rest");
    } finally {
      closeSync(fd);
    }
  });

  it.each(["-0", "-1", "-2"])("is not taken from %s, which others use", async (text) => {
    await expect(read(secret, text)).rejects.toThrow("would be standard input, output or error");
  });

  it("never stands in an error", async () => {
    await expect(read(secret, "-999")).rejects.toThrow("p: k: cannot read file descriptor 999");
  });
});
