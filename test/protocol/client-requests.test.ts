import { describe, expect, it } from "vitest";
import { PendingRequest, putRequest, requestSize } from "../../src/protocol/client-requests.ts";
import * as wire from "../client/wire.ts";

function pending(command: number, offset: bigint, length: number | bigint): PendingRequest {
  const request = new PendingRequest(
    command,
    0,
    offset,
    length,
    undefined,
    undefined,
    () => undefined,
    () => undefined,
  );
  request.cookieHigh = 0x01020304;
  request.cookieLow = 0xfffffffe;
  return request;
}

describe("putRequest", () => {
  it.each([0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 2n])(
    "writes offset %i as it is",
    (offset) => {
      const buffer = Buffer.alloc(64, 0xee);
      expect(putRequest(buffer, 3, false, pending(wire.WRITE, offset, 512), wire.FUA, 512)).toBe(3 + requestSize(false));
      const expected = wire.join(
        wire.u32(0x25609513),
        wire.u16(1),
        wire.u16(1),
        wire.u64(0x01020304fffffffen),
        wire.u64(offset),
        wire.u32(512),
      );
      expect(buffer.subarray(3, 31).equals(expected)).toBe(true);
      expect([buffer[2], buffer[31]]).toEqual([0xee, 0xee]);
    },
  );

  it("writes 64-bit lengths in an extended header", () => {
    const buffer = Buffer.alloc(32);
    const length = 2n ** 63n - 1n;
    expect(putRequest(buffer, 0, true, pending(wire.ZERO, 7n, length), 0, length)).toBe(requestSize(true));
    const expected = wire.join(
      wire.u32(0x21e41c71),
      wire.u16(0),
      wire.u16(6),
      wire.u64(0x01020304fffffffen),
      wire.u64(7n),
      wire.u64(length),
    );
    expect(buffer.equals(expected)).toBe(true);
  });
});

describe("PendingRequest", () => {
  it("tells where an offset lies in its range, exactly at any size of disk", () => {
    for (const start of [0n, 2n ** 32n - 1n, 2n ** 53n + 1n, 2n ** 63n - 100n]) {
      const request = pending(wire.READ, start, 100);
      for (const distance of [0n, 1n, 99n]) {
        const offset = start + distance;
        expect(request.relative(Number(offset >> 32n), Number(offset & 0xffffffffn))).toBe(Number(distance));
      }
      expect(request.relative(0xffffffff, 0xffffffff)).toBeGreaterThan(100);
    }
    expect(pending(wire.READ, 2n ** 63n, 1).relative(0, 0)).toBeLessThan(0);
  });

  it.each<[number, string]>([
    [wire.READ, "read 512 bytes at 1024"],
    [wire.WRITE, "write 512 bytes at 1024"],
    [wire.FLUSH, "flush"],
    [wire.TRIM, "trim 512 bytes at 1024"],
    [wire.CACHE, "cache 512 bytes at 1024"],
    [wire.ZERO, "zero 512 bytes at 1024"],
    [wire.BLOCK_STATUS, "list the extents of 512 bytes at 1024"],
    [wire.DISC, "do command 2 on 512 bytes at 1024"],
  ])("of command %i says what it was for", (command, words) => {
    expect(pending(command, 1024n, 512n).wish()).toBe(words);
    expect(pending(command, 1024n, 512n).failure("EIO", "boo")).toMatchObject({ code: "EIO", message: `cannot ${words}: boo` });
  });
});
