// How large a device is, found out by reading.

import { expect, test } from "vitest";
import { endOfDevice } from "../../../src/plugins/file/end-of-device.ts";

test.each([0n, 1n, 2n, 3n, 511n, 512n, 513n, 4096n, 1_000_001n, 2n ** 40n, 2n ** 40n + 512n, 2n ** 62n, 2n ** 63n - 2n, 2n ** 63n - 1n])(
  "a device of %s bytes",
  async (size) => {
    let reads = 0;
    const found = await endOfDevice(async (_target, offset) => {
      reads += 1;
      return offset < size ? 1 : 0;
    });
    expect(found).toBe(size);
    expect(reads).toBeLessThan(140);
  },
);
