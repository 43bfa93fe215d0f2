// Sparse disks when memory runs out.

import { afterEach, expect, test, vi } from "vitest";
import { zeroFlags } from "../../../src/contract/flags.ts";
import { memory, openDisk } from "../../../src/index.ts";
import { thrownBy, turn } from "../../contract/fixtures.ts";
import { inBuffers } from "./buffers.ts";

const MiB = 2n ** 20n;
const PAGE = 32768n;
const noHole = zeroFlags(false, true, false);

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** Lets large buffers fail as V8 does when there is no memory for them. */
function noMemory(): void {
  const construct = (real: Uint8ArrayConstructor, parameters: unknown[]): object => {
    if (typeof parameters[0] === "number" && parameters[0] >= MiB) throw new RangeError("Array buffer allocation failed");
    return Reflect.construct(real, parameters) as object;
  };
  vi.stubGlobal("Uint8Array", new Proxy(Uint8Array, { construct }));
}

test("a write for which there is no memory fails with ENOSPC, says where, and harms nothing", async () => {
  await using disk = await openDisk(memory("1G"));
  await disk.write(Buffer.alloc(1 << 20, 1), 0n);
  noMemory();
  const error = await thrownBy(() => disk.write(Buffer.alloc(512, 2), 64n * MiB + 5n));
  expect(error).toMatchObject({
    code: "ENOSPC",
    offset: 64n * MiB,
    message: expect.stringContaining("there is no memory left for the disk"),
  });
  const target = Buffer.alloc(1 << 20);
  await disk.read(target, 0n);
  expect(target.equals(Buffer.alloc(1 << 20, 1))).toBe(true);
  // What has its memory can still be written.
  await disk.write(Buffer.alloc(512, 3), 0n);
  vi.unstubAllGlobals();
  await disk.write(Buffer.alloc(512, 2), 64n * MiB + 5n);
  expect(await disk.extents(0n, 65n * MiB)).toHaveLength(4);
});

test("memory that cannot be tidied up now is tidied up later, and nothing is lost", async () => {
  const before = inBuffers();
  await using disk = await openDisk(memory("1G"));
  const pages = 4096n;
  for (let page = 0n; page < pages; page++) await disk.write(Buffer.alloc(32768, Number(page % 251n)), page * PAGE);
  noMemory();
  for (let page = 0n; page < pages; page++) if (page % 8n !== 0n) await disk.trim(page * PAGE, PAGE);
  for (let turns = 0; turns < 20; turns++) await turn();
  vi.unstubAllGlobals();
  expect((inBuffers() - before) / Number(MiB)).toBeGreaterThan(100);
  await disk.trim(PAGE, PAGE);
  // 16 MiB live; as much may be dead, and a slab of 32 MiB is being filled.
  await vi.waitFor(() => expect((inBuffers() - before) / Number(MiB)).toBeLessThan(2 * 16 + 2 * 32 + 1), { timeout: 5000, interval: 10 });
  const target = Buffer.alloc(32768);
  for (let page = 0n; page < pages; page += 8n) {
    await disk.read(target, page * PAGE);
    expect(target.every((byte) => byte === Number(page % 251n))).toBe(true);
  }
});

test("zeroes without a hole are promised up to what the container or the machine has, taken together", async () => {
  vi.spyOn(process, "constrainedMemory").mockReturnValue(Number(64n * MiB));
  await using disk = await openDisk(memory("1G"));
  await disk.zero(0n, 32n * MiB, noHole);
  await disk.write(Buffer.alloc(16 << 20, 1), 100n * MiB);
  await disk.zero(0n, 32n * MiB, noHole);
  expect(await thrownBy(() => disk.zero(200n * MiB, 17n * MiB, noHole))).toMatchObject({ code: "ENOSPC" });
  await disk.trim(200n * MiB, 17n * MiB);
  await disk.zero(200n * MiB, 16n * MiB, noHole);
  expect(await thrownBy(() => disk.zero(300n * MiB, 1n, noHole))).toMatchObject({ code: "ENOSPC" });
  // Writing to what was promised needs no further promise; giving it up makes place for another.
  await disk.write(Buffer.alloc(1 << 20, 1), 200n * MiB);
  await disk.zero(100n * MiB, 16n * MiB, noHole);
  await disk.trim(0n, PAGE);
  await disk.zero(300n * MiB, 1n, noHole);
});
