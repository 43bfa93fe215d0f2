import { describe, expect, it } from "vitest";
import { decodeName, encodeOption, encodeString, infoData, metaData } from "../../src/protocol/client-options.ts";
import { join, u16, u32 } from "../client/wire.ts";

describe("the encoders of options", () => {
  it("write header and data", () => {
    expect(encodeOption(2)).toEqual(join("IHAVEOPT", u32(2), u32(0)));
    expect(encodeOption(1, Buffer.from("é"))).toEqual(join("IHAVEOPT", u32(1), u32(2), "é"));
    expect(infoData("é", [1, 3])).toEqual(join(u32(2), "é", u16(2), u16(1), u16(3)));
    expect(infoData("", [])).toEqual(join(u32(0), u16(0)));
    expect(metaData("d", ["base:allocation", "x:"])).toEqual(join(u32(1), "d", u32(2), u32(15), "base:allocation", u32(2), "x:"));
    expect(metaData("", [])).toEqual(join(u32(0), u32(0)));
  });

  it("refuse strings that are too long or have NUL in them", () => {
    expect(encodeString("é".repeat(2048), "a name")).toHaveLength(4096);
    expect(() => encodeString(`${"é".repeat(2048)}x`, "a name")).toThrow("a name of 4097 bytes: NBD allows at most 4096");
    expect(() => encodeString("a\0b", "a name")).toThrow("without NUL");
    expect(() => metaData("x".repeat(5000), [])).toThrow("5000 bytes");
  });
});

describe("decodeName", () => {
  it("gives the text, or throws where there is none", () => {
    expect(decodeName(Buffer.from("é"), "a name")).toBe("é");
    expect(() => decodeName(Buffer.alloc(4097, "x"), "a name")).toThrow("a name of 4097 bytes");
    expect(() => decodeName(Buffer.from("a\0"), "a name")).toThrow("a name with a NUL in it");
  });
});
