// The suite for filters finds what is wrong with filters that break the contract, and says what it is.

import { expect, test } from "vitest";
import { type Connection, type Disk, type Filter, filter, type Plugin } from "../../src/contract/index.ts";
import { type FilterTestOptions, type TestFunction, testFilter } from "../../src/testing/index.ts";
import { outcomeOf } from "./collect.ts";
import { bytes } from "./disks.ts";
import { part, xor } from "./filters.ts";

const content = bytes(40_000);
const transparent = { transparent: true } as const;
const partial = { model: (below: Uint8Array) => below.subarray(1000, 21_000) } as const;
const inverted = { model: (below: Uint8Array) => below.map((byte) => byte ^ 0xff) } as const;

/** A filter by hand, that opens what `open` makes of the disk below. */
function byHand(open: (disk: Disk) => Connection | Disk, more: (next: Plugin) => Partial<Plugin> = () => ({})): Filter {
  return (next) => ({
    name: "by-hand",
    start: (context) => next.start?.(context),
    open: async (request) => open((await next.open(request)) as Disk),
    close: () => next.close?.(),
    ...more(next),
  });
}

/** What is broken, how, what is known of the filter, and what the kit says. */
const broken: readonly [string, () => Filter, Partial<FilterTestOptions>, RegExp][] = [
  [
    "forgets FUA in writing",
    () => filter("f", (disk) => ({ write: (source, offset) => disk.write(source, offset) })),
    transparent,
    /what was written with FUA is there after a power cut.*expected/s,
  ],
  [
    "forgets FUA in zeroing",
    () =>
      filter("f", (disk) => ({
        zero: (offset, length, { noHole, fastZero }) => disk.zero(offset, length, { noHole, fastZero, fua: false }),
      })),
    transparent,
    /what was zeroed with FUA is there after a power cut/,
  ],
  [
    "swallows flushes",
    () => filter("f", () => ({ flush: () => undefined })),
    transparent,
    /what was written before a flush is there after a power cut/,
  ],
  [
    "forgets noHole",
    () =>
      filter("f", (disk) => ({ zero: (offset, length, { fua, fastZero }) => disk.zero(offset, length, { fua, fastZero, noHole: false }) })),
    transparent,
    /noHole, became below: zero .*: the flags are to be passed on/,
  ],
  [
    "forgets that it was to zero fast",
    () =>
      filter("f", (disk) => ({ zero: (offset, length, { fua, noHole }) => disk.zero(offset, length, { fua, noHole, fastZero: false }) })),
    transparent,
    /fastZero, became below: zero .*: the flags are to be passed on/,
  ],
  [
    "zeroes by writing, also where that was to be fast",
    () => filter("f", (disk) => ({ zero: (offset, length, { fua }) => disk.write(new Uint8Array(Number(length)), offset, { fua }) })),
    transparent,
    /fastZero, became below: write/,
  ],
  [
    "zeroes by trimming",
    () => filter("f", (disk) => (disk.capabilities.trim ? { zero: (offset, length, flags) => disk.trim(offset, length, flags) } : {})),
    transparent,
    /noHole, became below: trim/,
  ],
  ["loses writes", () => filter("f", () => ({ write: () => undefined })), transparent, /read of .*expected/],
  [
    "keeps writes to itself",
    () => {
      const held = new Map<bigint, number>();
      return filter("f", (disk) => ({
        async read(target, offset) {
          await disk.read(target, offset);
          for (let i = 0; i < target.length; i += 1) target[i] = held.get(offset + BigInt(i)) ?? (target[i] as number);
        },
        write(source, offset) {
          for (const [i, byte] of source.entries()) held.set(offset + BigInt(i), byte);
        },
        trim: undefined,
        zero: undefined,
        extents: undefined,
      }));
    },
    transparent,
    /the disk below, as the model shows it,|expected/,
  ],
  [
    "writes to the disk below although it says that it does not",
    () => filter("f", () => ({})),
    { holdsWrites: true },
    /the disk below has changed/,
  ],
  [
    "forgets to move what it zeroes",
    () => (next) =>
      filter("f", (disk) => ({
        size: 20_000n,
        read: (target, offset) => disk.read(target, offset + 1000n),
        write: (source, offset, flags) => disk.write(source, offset + 1000n, flags),
        trim: undefined,
        extents: undefined,
      }))(next),
    partial,
    /is 0x.., expected 0x00/,
  ],
  [
    "changes what is read but not what is written",
    () =>
      filter("f", (disk) => ({
        async read(target, offset) {
          await disk.read(target, offset);
          for (const [i, byte] of target.entries()) target[i] = ~byte;
        },
        zero: undefined,
        trim: undefined,
        extents: undefined,
      })),
    inverted,
    /read of .*expected/,
  ],
  [
    "changes the bytes and forwards zero, so that zeroes are something else",
    () =>
      filter("f", (disk) => ({
        async read(target, offset) {
          await disk.read(target, offset);
          for (const [i, byte] of target.entries()) target[i] = ~byte;
        },
        write: (source, offset, flags) =>
          disk.write(
            source.map((byte) => ~byte),
            offset,
            flags,
          ),
        trim: undefined,
        extents: undefined,
      })),
    inverted,
    /is 0xff.*, expected 0x00/,
  ],
  [
    "changes the bytes and forwards extents, so that holes are not zeroes",
    () =>
      filter("f", (disk) => ({
        async read(target, offset) {
          await disk.read(target, offset);
          for (const [i, byte] of target.entries()) target[i] = ~byte;
        },
        write: undefined,
      })),
    inverted,
    /are said to be zeroes, but byte .* is 0xff/,
  ],
  [
    "changes the bytes and goes on lending those below",
    () =>
      filter("f", (disk) => ({
        async read(target, offset) {
          await disk.read(target, offset);
          for (const [i, byte] of target.entries()) target[i] = ~byte;
        },
        ...(disk.views && { views: disk.views }),
        write: undefined,
        extents: undefined,
      })),
    inverted,
    /views of .*: byte .* is 0x/,
  ],
  [
    "changes the buffer that it was to write",
    () =>
      filter("f", (disk) => ({
        async read(target, offset) {
          await disk.read(target, offset);
          for (const [i, byte] of target.entries()) target[i] = ~byte;
        },
        write(source, offset, flags) {
          for (const [i, byte] of source.entries()) source[i] = ~byte;
          return disk.write(source, offset, flags);
        },
        trim: undefined,
        zero: undefined,
        extents: undefined,
      })),
    inverted,
    /changed the buffer that it was to write/,
  ],
  [
    "shows a part, and forgets where extents are",
    () => filter("f", (disk) => ({ size: 20_000n, read: (target, offset) => disk.read(target, offset + 1000n), write: undefined })),
    partial,
    /are said to be zeroes, but byte/,
  ],
  [
    "shows a part, and writes where it is not",
    () =>
      filter("f", (disk) => ({
        size: 20_000n,
        read: (target, offset) => disk.read(target, offset + 1000n),
        write: (source, offset, flags) => disk.write(source, offset, flags),
        trim: undefined,
        zero: undefined,
        extents: undefined,
      })),
    partial,
    /read of .*expected/,
  ],
  ["shows another part than it should", () => part(1001n, 20_000n), partial, /the content that was said, compared with a read/],
  ["shows fewer bytes than it should", () => part(1000n, 19_999n), partial, /has 19999 bytes, fewer than the 20000/],
  [
    "hides errors of reading",
    () =>
      filter("f", (disk) => ({
        async read(target, offset) {
          try {
            await disk.read(target, offset);
          } catch {
            target.fill(0);
          }
        },
      })),
    transparent,
    /below: read .* failed with EPERM, and nobody heard of it/,
  ],
  [
    "loses the code of errors",
    () =>
      filter("f", (disk) => ({
        async read(target, offset) {
          try {
            await disk.read(target, offset);
          } catch (error) {
            throw new Error(`reading failed: ${error}`);
          }
        },
      })),
    transparent,
    /failed with EPERM, and the client got: reading failed/,
  ],
  [
    "does not wait for writes, and hides their errors",
    () =>
      filter("f", (disk) => ({
        write(source, offset, flags) {
          void (async () => disk.write(source.slice(), offset, flags))().catch(() => undefined);
        },
      })),
    transparent,
    /failed with ENOSPC, and nobody heard of it/,
  ],
  [
    "hides errors of flushing",
    () => filter("f", (disk) => ({ flush: async () => (async () => disk.flush())().catch(() => undefined) })),
    transparent,
    /below: flush failed with EPERM, and nobody heard of it/,
  ],
  [
    "does not close the disk below",
    () => byHand(({ close: _, [Symbol.asyncDispose]: __, ...disk }) => ({ ...disk, close: async () => undefined }) as Disk),
    transparent,
    /of 1 that were opened/,
  ],
  [
    "does not close the plugin below",
    () =>
      byHand(
        (disk) => disk,
        () => ({ close: () => undefined }),
      ),
    transparent,
    /of 1 that were opened/,
  ],
  [
    "does not start the plugin below",
    () =>
      byHand(
        (disk) => disk,
        () => ({ start: () => undefined }),
      ),
    transparent,
    /the plugin below was not started/,
  ],
  [
    "opens the disk below twice and closes it once",
    () =>
      filter("f", () => ({}), {
        async open(next, request) {
          await next.open(request);
          return next.open(request);
        },
      }),
    transparent,
    /of 2 that were opened/,
  ],
  [
    "uses the disk below after it has closed it",
    () =>
      filter("f", (disk) => ({
        async close() {
          await disk.close();
          await disk.flush();
        },
      })),
    transparent,
    /cannot flush: the disk is closed/,
  ],
  ["takes away a capability without need", () => filter("f", () => ({ trim: undefined })), transparent, /\+ .*"trim"|'trim'|trim/],
  [
    "says that it can be written over a disk that cannot",
    () =>
      byHand(({ read, write, flush, zero, trim, extents, cache, close, size }) => ({
        size,
        read,
        write,
        flush,
        zero,
        trim,
        extents,
        cache,
        close,
        traits: { fua: "native", fastZero: true, trimZeroes: true },
      })),
    {},
    /it cannot be written over a disk that cannot be written: capabilities\.write/,
  ],
  [
    "works on whole sectors and says nothing of it",
    () =>
      filter("f", (disk) => ({
        async read(target, offset) {
          const start = offset - (offset % 512n);
          const whole = new Uint8Array((Number(offset - start) + target.length + 511) & ~511);
          await disk.read(whole, start);
          target.set(whole.subarray(Number(offset - start), Number(offset - start) + target.length));
        },
      })),
    transparent,
    /are not on the disk/,
  ],
  [
    "copies the methods of a disk rather than forwarding them",
    () => (next) => ({
      name: "spread",
      start: (context) => next.start?.(context),
      // As one would over a plugin that was not completed.
      open: async (request) => {
        const disk = (await next.open(request)) as Disk;
        class Bare {
          readonly size: bigint = disk.size;
          read(target: Uint8Array, offset: bigint) {
            return disk.read(target, offset);
          }
          write(source: Uint8Array, offset: bigint, flags: { fua: boolean }) {
            return disk.write(source, offset, flags);
          }
        }
        return { ...new Bare(), read: disk.read, close: disk.close } as Connection;
      },
      close: () => next.close?.(),
    }),
    { expect: { write: true } },
    /capabilities\.write/,
  ],
];

const directly = { routes: ["directly"] } as const;

test.each(broken)("a filter that %s", { timeout: 60_000 }, async (_, make, options, says) => {
  const suite = (test: TestFunction) => testFilter({ test, filter: make, content, ...directly, ...options });
  const { failed } = await outcomeOf(suite, (name, text) => says.test(`${name}: ${text}`));
  const found = [...failed].map(([name, text]) => `${name}: ${text}`);
  expect(
    found.filter((text) => says.test(text)),
    `found:\n${found.join("\n")}`,
  ).not.toHaveLength(0);
});

test.each<[string, () => Filter, Partial<FilterTestOptions>]>([
  ["changes nothing", () => filter("f", () => ({})), transparent],
  ["shows a part", () => part(1000n, 20_000n), partial],
  ["changes every byte", () => xor(0xff), inverted],
])("a filter that %s and is right passes, so that what is found is what was made wrong", { timeout: 60_000 }, async (_, make, options) => {
  const outcome = await outcomeOf((test) => testFilter({ test, filter: make, content, ...directly, ...options }));
  expect([...outcome.failed]).toEqual([]);
  expect(outcome.passed.length).toBeGreaterThan(40);
});
