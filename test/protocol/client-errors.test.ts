import { describe, expect, it } from "vitest";
import { errorAnswer, refusal, serverText } from "../../src/protocol/client-errors.ts";

describe("serverText", () => {
  it("is one line that does nothing to a terminal", () => {
    expect(serverText(Buffer.from("\x1b[2Jno\r\n\tspace\0 \x9b left\u2028\u202e "))).toBe("[2Jno space left");
  });

  it("keeps what people write", () => {
    expect(serverText(Buffer.from("Größe: 5 µm, 日本"))).toBe("Größe: 5 µm, 日本");
  });

  it("is at most 4096 bytes long, also of what is no UTF-8", () => {
    expect(serverText(Buffer.alloc(10_000, "x"))).toHaveLength(4096);
    const rubbish = serverText(Buffer.alloc(10_000, 0xff));
    expect(rubbish).toMatch(/^\ufffd+$/);
    expect(Buffer.byteLength(rubbish)).toBeLessThanOrEqual(4096);
  });
});

describe("refusal", () => {
  it("says what was wished for, why not, and in whose words", () => {
    expect(refusal("use it", 0x80000006, "")).toMatchObject({
      code: "ENOENT",
      message: "the server refuses to use it: it has no such export",
    });
    expect(refusal("use it", 0x8000ffff, "so there")).toMatchObject({
      code: "EIO",
      message: "the server refuses to use it: error 0x8000ffff (it says: so there)",
    });
  });
});

describe("errorAnswer", () => {
  it("has the server's words, or those of the number", () => {
    expect(errorAnswer(28, "quota of bob")).toBe("the server answers ENOSPC: quota of bob");
    expect(errorAnswer(28, "")).toBe("the server answers ENOSPC (no space left on the disk)");
    expect(errorAnswer(99, "")).toBe("the server answers EINVAL (error number 99)");
  });
});
