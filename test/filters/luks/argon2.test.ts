import crypto, { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { argon2Own } from "../../../src/filters/luks/argon2/argon2.ts";
import { blake2b } from "../../../src/filters/luks/argon2/blake2b.ts";
import { pattern } from "./images.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("BLAKE2b", () => {
  test("agrees with RFC 7693, appendix A", () => {
    const digest =
      "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923";
    expect(hex(blake2b(Buffer.from("abc"), 64))).toBe(digest);
  });

  test("agrees with Node's own for messages of any length", () => {
    for (const length of [0, 1, 127, 128, 129, 256, 1028]) {
      const message = pattern(length);
      expect(hex(blake2b(message, 64))).toBe(createHash("blake2b512").update(message).digest("hex"));
    }
  });
});

describe("Argon2", () => {
  // RFC 9106, section 5.
  const vector = {
    passes: 3,
    memory: 32,
    lanes: 4,
    password: new Uint8Array(32).fill(1),
    salt: new Uint8Array(16).fill(2),
    secret: new Uint8Array(8).fill(3),
    associatedData: new Uint8Array(12).fill(4),
    length: 32,
  };

  test.each([
    ["argon2i", "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8"],
    ["argon2id", "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"],
  ] as const)("agrees with the test vector of RFC 9106 for %s", async (type, tag) => {
    expect(hex(await argon2Own({ type, ...vector }))).toBe(tag);
  });

  test("leaves the event loop alone, and ends when it is aborted", async () => {
    const controller = new AbortController();
    const input = {
      type: "argon2id",
      passes: 1000,
      memory: 65_536,
      lanes: 4,
      password: vector.password,
      salt: vector.salt,
      length: 64,
    } as const;
    const deriving = argon2Own(input, controller.signal);
    // That a timer fires while it works is half of the test.
    await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort(new Error("the client has gone"));
    await expect(deriving).rejects.toThrow("the client has gone");
  });

  test("gives a tag of any length", async () => {
    for (const length of [4, 64, 65, 128, 200]) expect(await argon2Own({ type: "argon2id", ...vector, length })).toHaveLength(length);
  });

  // Node 24.7 and later.
  test.skipIf(!("argon2Sync" in crypto))("agrees with Node's own", async () => {
    const { argon2Sync } = crypto as unknown as { argon2Sync(type: string, parameters: object): Uint8Array };
    for (const type of ["argon2i", "argon2id"] as const) {
      for (const [memory, lanes, passes] of [
        [64, 1, 1],
        [1000, 3, 2],
        [4096, 4, 3],
      ] as const) {
        const { password, salt } = vector;
        const nodes = argon2Sync(type, { message: password, nonce: salt, parallelism: lanes, tagLength: 64, memory, passes });
        expect(hex(await argon2Own({ type, memory, lanes, passes, password, salt, length: 64 }))).toBe(hex(nodes));
      }
    }
  });
});
