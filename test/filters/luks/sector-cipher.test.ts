import { describe, expect, test } from "vitest";
import { parseEncryption } from "../../../src/filters/luks/encryption.ts";
import { sectorCipher } from "../../../src/filters/luks/sector-cipher.ts";
import { pattern } from "./images.ts";
import { reference } from "./reference.ts";

const xts = ["aes-xts-plain64", "aes-xts-plain", "aes-xts-plain64be", "aes-xts-essiv:sha256"].flatMap((cipher) =>
  [32, 64].map((size) => [cipher, size] as const),
);
const cbc = ["aes-cbc-essiv:sha256", "aes-cbc-plain", "aes-cbc-plain64"].flatMap((cipher) =>
  [16, 24, 32].map((size) => [cipher, size] as const),
);

describe.each([...xts, ...cbc])("%s with a key of %i bytes", (cipher, keySize) => {
  const key = pattern(keySize, 5);
  const make = (sectorSize = 512) => sectorCipher(parseEncryption(cipher, keySize, "test"), key, sectorSize);

  test.each([512, 4096])("agrees with Node's own cipher on sectors of %i bytes, one and many at a time", (sectorSize) => {
    const own = make(sectorSize);
    // 68 KiB: more than is worked on at once.
    for (const length of [sectorSize, 68 * 1024]) {
      for (const firstSector of [0n, 8n, 2n ** 32n - 64n, 2n ** 53n + 8n, 2n ** 63n]) {
        const plain = pattern(length, 3);
        const encrypted = new Uint8Array(length);
        own.encrypt(encrypted, plain, firstSector);
        expect(Buffer.compare(encrypted, reference("encrypt", plain, { cipher, key, sectorSize, firstSector }))).toBe(0);
        expect(Buffer.compare(plain, pattern(length, 3))).toBe(0);
        const decrypted = new Uint8Array(length);
        own.decrypt(decrypted, encrypted, firstSector);
        expect(Buffer.compare(decrypted, plain)).toBe(0);
      }
    }
  });

  test("works in place", () => {
    const bytes = pattern(68 * 1024);
    const own = make();
    own.encrypt(bytes, bytes, 77n);
    expect(Buffer.compare(bytes, reference("encrypt", pattern(68 * 1024), { cipher, key, firstSector: 77n }))).toBe(0);
    own.decrypt(bytes, bytes, 77n);
    expect(Buffer.compare(bytes, pattern(68 * 1024))).toBe(0);
  });
});

describe("wiping", () => {
  test("leaves other ciphers alone", () => {
    const make = () => sectorCipher(parseEncryption("aes-xts-plain64", 64, "test"), pattern(64), 512);
    const [one, other] = [make(), make()];
    const bytes = pattern(4096);
    one.encrypt(bytes, bytes, 0n);
    one.wipe();
    other.decrypt(bytes, bytes, 0n);
    expect(bytes).toEqual(pattern(4096));
  });
});

describe("what is not supported", () => {
  test.each([
    ["serpent-xts-plain64", 64, /encrypted with "serpent-xts-plain64": supported are aes-xts and aes-cbc/],
    ["aes-ecb", 32, /supported are/],
    ["aes-xts-random", 64, /supported are/],
    ["cipher_null-ecb", 32, /supported are/],
    ["aes-xts-plain64", 48, /has a key of 384 bits for aes-xts-plain64: it takes 256, 512/],
    ["aes-cbc-plain64", 64, /has a key of 512 bits/],
    ["aes-cbc-essiv:sha1", 32, /sha1 does not give an AES key/],
    ["aes-cbc-essiv:whirlpool", 32, /uses the hash "whirlpool": supported are sha1/],
  ])("%s with a key of %i bytes is refused", (cipher, keySize, text) => {
    expect(() => parseEncryption(cipher, keySize, "the disk")).toThrow(text);
  });
});
