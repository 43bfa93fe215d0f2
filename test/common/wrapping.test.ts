// Filters that stand between the client and the completed disk.

import { describe, expect, it } from "vitest";
import { wrappingFilter } from "../../src/common/wrapping.ts";
import { openDisk, pipe } from "../../src/index.ts";
import { type Call, classRam, ram, recorded } from "../../src/testing/index.ts";
import { deferred } from "../fixtures/deferred.ts";

describe("a wrapping filter", () => {
  it("sees the requests that the disk below emulates", async () => {
    const seen: string[] = [];
    const watching = wrappingFilter("watching", (disk) => ({
      zero(offset, length, flags) {
        seen.push(`zero ${length} at ${offset}`);
        return disk.zero(offset, length, flags);
      },
      write(source, offset, flags) {
        seen.push(`write ${source.length} at ${offset}`);
        return disk.write(source, offset, flags);
      },
    }));
    await using disk = await openDisk(pipe(classRam(new Uint8Array(4096)), watching));
    await disk.zero(0n, 4096n);
    expect(seen).toEqual(["zero 4096 at 0"]);
    expect(disk.capabilities.zero).toBe(false);
  });

  it("drops what lends when it replaces reads or writes, unless it lends itself", async () => {
    await using plain = await openDisk(
      pipe(
        ram(4096),
        wrappingFilter("plain", (disk) => ({ read: disk.read })),
      ),
    );
    expect([plain.views, plain.capabilities.views]).toEqual([undefined, false]);
    const lending = wrappingFilter("lending", (disk) => ({ read: disk.read, ...(disk.views && { views: disk.views }) }));
    await using lends = await openDisk(pipe(ram(4096), lending));
    expect(lends.views?.(0n, 10)).toHaveLength(1);
  });

  it("closes after what is under way has been answered, and then the disk below", async () => {
    const calls: Call[] = [];
    const { promise, resolve } = deferred();
    const order: string[] = [];
    const slow = wrappingFilter("slow", (disk) => ({
      async read(target, offset) {
        await promise;
        await disk.read(target, offset);
        order.push("read");
      },
      close: () => void order.push("closed"),
    }));
    const disk = await openDisk(pipe(ram(4096), recorded("below", calls), slow));
    const reading = disk.read(new Uint8Array(1), 0n);
    const closing = disk.close();
    expect(() => disk.read(new Uint8Array(1), 0n)).toThrow("the disk is closed");
    resolve();
    await Promise.all([reading, closing]);
    expect(order).toEqual(["read", "closed"]);
    expect(calls.map(({ operation }) => operation).slice(-3)).toEqual(["read", "close", "close plugin"]);
  });

  it("closes the disk below when it cannot be laid over it", async () => {
    const calls: Call[] = [];
    const failing = wrappingFilter("failing", () => {
      throw new Error("not over this one");
    });
    await expect(openDisk(pipe(ram(512), recorded("below", calls), failing))).rejects.toThrow("not over this one");
    expect(calls.map(({ operation }) => operation)).toEqual(["start", "open", "close", "close plugin"]);
  });

  it("can say that the disk does more than below", async () => {
    const more = wrappingFilter("more", (disk) => ({ capabilities: { zero: true, fastZero: true }, zero: disk.zero }));
    await using disk = await openDisk(pipe(classRam(new Uint8Array(512)), more));
    expect(disk.capabilities).toMatchObject({ zero: true, fastZero: true });
  });
});
