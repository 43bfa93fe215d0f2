import { expect, test } from "vitest";
import { DiskError, errorCode, errorText } from "../../src/contract/index.ts";

test("a DiskError has a code, a text, a place and a cause", () => {
  const cause = new Error("the platter is scratched");
  const error = new DiskError("EIO", "sector 17 cannot be read", { offset: 8704n, cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: "DiskError", code: "EIO", message: "sector 17 cannot be read", offset: 8704n, cause });
});

test("a DiskError without a place has no offset, and no cause of its own", () => {
  const error = new DiskError("EIO", "no");
  expect(error.offset).toBeUndefined();
  expect("cause" in error).toBe(false);
});

test("DiskError.is knows those that another copy of the package made", () => {
  const foreign = Object.defineProperty(new Error("from afar"), Symbol.for("diskwright.error"), { value: true });
  expect(DiskError.is(new DiskError("EIO", "no"))).toBe(true);
  expect(DiskError.is(foreign)).toBe(true);
  for (const value of [new Error("no"), undefined, null, "EIO", 5]) expect(DiskError.is(value)).toBe(false);
});

test("the code of an error is its own, or EIO", () => {
  expect(errorCode(Object.assign(new Error("full"), { code: "ENOSPC" }))).toBe("ENOSPC");
  expect(errorCode({ code: "EPERM" })).toBe("EPERM");
  for (const value of [new Error("no"), { code: 5 }, "no", undefined, null]) expect(errorCode(value)).toBe("EIO");
});

test("anything thrown has a text", () => {
  expect(errorText(new Error("no"))).toBe("no");
  expect(errorText("no")).toBe("no");
  expect(errorText(undefined)).toBe("undefined");
});
