import { describe, expect, test } from "vitest";
import { assertSecret, readSecret, type Secret } from "../../src/common/secret.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("readSecret", () => {
  test("gives the bytes of text in UTF-8", async () => {
    expect(await readSecret("pass wörd", "passphrase")).toEqual(bytes("pass wörd"));
  });

  test("gives bytes as they are, zeroes and line ends among them", async () => {
    const key = Uint8Array.of(0, 10, 13, 255);
    expect(await readSecret(key, "passphrase")).toEqual(key);
  });

  test("calls a function, also one that answers later", async () => {
    expect(await readSecret(() => "now", "passphrase")).toEqual(bytes("now"));
    expect(await readSecret(async () => bytes("later"), "passphrase")).toEqual(bytes("later"));
  });

  test("gives a copy, so that wiping it leaves the app's own bytes alone", async () => {
    for (const own of [bytes("secret"), Buffer.from("secret")]) {
      const copy = await readSecret(own, "passphrase");
      expect(copy.buffer).not.toBe(own.buffer);
      copy.fill(0);
      expect(Buffer.from(own).toString()).toBe("secret");
    }
  });

  test("passes on what the function throws", async () => {
    const locked = (): never => {
      throw new Error("the keyring is locked");
    };
    await expect(readSecret(locked, "passphrase")).rejects.toThrow("the keyring is locked");
  });

  test("refuses what is no secret without showing it", async () => {
    const wrong = [() => 4711, () => undefined, () => null] as unknown as Secret[];
    for (const secret of [...wrong, 4711 as unknown as Secret]) {
      const error: Error = await readSecret(secret, "passphrase").then(
        () => expect.unreachable(),
        (reason) => reason,
      );
      expect(error).toMatchObject({ code: "EINVAL" });
      expect(error.message).toMatch(/^passphrase: expected a string, a Uint8Array or a function .* not (number|undefined|null)$/);
      expect(error.message).not.toContain("4711");
    }
  });
});

describe("assertSecret", () => {
  test("takes text, bytes and functions", () => {
    for (const secret of ["", "text", Buffer.from("bytes"), () => "later"]) expect(assertSecret(secret, "passphrase")).toBe(secret);
  });

  test("refuses everything else without showing it", () => {
    for (const wrong of [undefined, null, 4711, {}, ["x"]]) {
      expect(() => assertSecret(wrong as never, "passphrase")).toThrow(/^passphrase: expected .* not (undefined|null|number|object)$/);
    }
  });
});
