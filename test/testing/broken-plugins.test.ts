// The suite for plugins finds what is wrong with plugins that break the contract, and says what it is.

import { expect, test } from "vitest";
import { type Connection, DiskError, type Extent, type Plugin } from "../../src/contract/index.ts";
import { type PluginTestOptions, ram, type TestFunction, testPlugin } from "../../src/testing/index.ts";
import { outcomeOf } from "./collect.ts";
import { bytes, over, plugin } from "./disks.ts";

const SIZE = 30_000;

/** A plugin that is right but for what a test makes wrong: reads, writes, flush, trim, zero and extents over bytes. */
function almost(
  change: (
    content: Uint8Array,
    right: Required<Pick<Connection, "read" | "write" | "zero" | "trim" | "extents">> & Connection,
  ) => Partial<Connection>,
): Plugin {
  const content = bytes(SIZE);
  const wipe = (offset: bigint, length: bigint): void => {
    content.fill(0, Number(offset), Number(offset + length));
  };
  const right = {
    ...over(content),
    write: (source: Uint8Array, offset: bigint) => content.set(source, Number(offset)),
    flush: () => undefined,
    trim: wipe,
    zero: wipe,
    extents: (offset: bigint, length: bigint) => runs(content, Number(offset), Number(offset + length)),
  };
  return plugin({ ...right, ...change(content, right) });
}

/** Runs of zeroes, and what is between. */
function* runs(content: Uint8Array, start: number, end: number): Generator<Extent> {
  for (let at = start; at < end; ) {
    const zero = content[at] === 0;
    let next = at + 1;
    while (next < end && (content[next] === 0) === zero) next += 1;
    yield { offset: BigInt(at), length: BigInt(next - at), hole: zero, zero };
    at = next;
  }
}

const later = () => new Promise<void>((resolve) => setImmediate(resolve));
const slice = (content: Uint8Array, offset: bigint, length: number): Uint8Array =>
  content.subarray(Number(offset), Number(offset) + length);

/** What is broken, how, and what the kit says of it. */
const broken: readonly [string, () => Plugin, RegExp, Partial<PluginTestOptions>?][] = [
  [
    "fills only a part of the buffer",
    () =>
      almost((content) => ({
        read: (target, offset) => target.subarray(0, 4096).set(slice(content, offset, Math.min(4096, target.length))),
      })),
    /read of .*: byte .* is 0x.. \(as are all after it: was the buffer left unfilled\?\), expected/,
  ],
  [
    "is off by one at the end",
    () =>
      almost((content) => ({
        read: (target, offset) => target.set(content.subarray(Number(offset), Math.min(Number(offset) + target.length, SIZE - 1))),
      })),
    /read of .*byte 29999 .*expected/,
  ],
  [
    "reads from one byte too far when unaligned",
    () =>
      almost((content) => ({
        read: (target, offset) => target.set(slice(content, offset % 512n === 1n ? offset - 1n : offset, target.length)),
      })),
    /read of .*expected/,
  ],
  [
    "writes to all of the buffer's memory",
    () => almost((content) => ({ read: (target, offset) => new Uint8Array(target.buffer).set(slice(content, offset, target.length)) })),
    /wrote outside of the buffer that it was given/,
  ],
  [
    "answers before the buffer is filled",
    () =>
      almost((content) => ({
        read: (target, offset) => {
          void later().then(() => target.set(slice(content, offset, target.length)));
          return Promise.resolve();
        },
      })),
    /wrote to a buffer after it had answered|unfilled/,
  ],
  [
    "answers right, and goes on writing to the buffer",
    () =>
      almost((content) => ({
        read: (target, offset) => {
          target.set(slice(content, offset, target.length));
          void Promise.resolve().then(() => target.fill(1));
        },
      })),
    /disk-under-test wrote to a buffer after it had answered: it is the caller's again by then/,
  ],
  [
    "keeps the buffer that it was to write",
    () =>
      almost((content) => {
        const kept = new Map<bigint, Uint8Array>();
        const apply = () => {
          for (const [offset, source] of kept) content.set(source, Number(offset));
          kept.clear();
        };
        return {
          write: (source, offset) => void kept.set(offset, source),
          read(target, offset) {
            apply();
            target.set(slice(content, offset, target.length));
          },
          zero: undefined as never,
          extents: undefined as never,
          trim: undefined as never,
        };
      }),
    /read of .*expected/,
  ],
  [
    "keeps the buffer that it was to fill, as a cache",
    () =>
      almost((content) => {
        const cache = new Map<string, Uint8Array>();
        return {
          read(target, offset) {
            const key = `${offset} ${target.length}`;
            target.set(cache.get(key) ?? slice(content, offset, target.length));
            cache.set(key, target);
          },
          write: undefined as never,
        };
      }),
    /read of .*expected/,
  ],
  [
    "changes the buffer that it is to write",
    () =>
      almost((content) => ({
        write: (source, offset) => {
          content.set(source, Number(offset));
          source.reverse();
        },
      })),
    /changed the buffer that it was to write/,
  ],
  ["loses writes", () => almost(() => ({ write: () => undefined })), /read of .*expected/],
  [
    "loses the last bytes of a write that is no multiple of 512",
    () =>
      almost((content) => ({
        write: (source, offset) => content.set(source.subarray(0, source.length - (source.length % 512)), Number(offset)),
      })),
    /read of .*expected/,
  ],
  [
    "rounds what it zeroes to sectors",
    () =>
      almost((content) => ({ zero: (offset, length) => void content.fill(0, Number(offset - (offset % 512n)), Number(offset + length)) })),
    /read of .*expected/,
  ],
  ["has a zero that does nothing", () => almost(() => ({ zero: () => undefined })), /read of .*is 0x.., expected 0x00/],
  [
    "has a zero that does nothing where no hole is wanted",
    () => almost((_content, { zero }) => ({ zero: (offset, length, flags) => (flags.noHole ? undefined : zero(offset, length, flags)) })),
    /expected 0x00/,
  ],
  [
    "calls it fast zeroing to refuse after it has begun",
    () =>
      almost((content, { zero }) => ({
        traits: { fastZero: true },
        zero(offset, length, flags) {
          if (!flags.fastZero) return zero(offset, length, flags);
          content.fill(0, Number(offset), Number(offset) + 1);
          throw new DiskError("ENOTSUP", "not fast here");
        },
      })),
    /is 0x00.*, expected/,
  ],
  [
    "trims more than it was to",
    () =>
      almost((_content, { zero }) => ({
        trim: (offset, length, flags) =>
          zero(offset, offset + length < BigInt(SIZE) ? length + 1n : length, { ...flags, noHole: false, fastZero: false }),
      })),
    /read of .*expected/,
  ],
  [
    "says that trimmed bytes are zeroes, which they are not",
    () => almost(() => ({ traits: { trimZeroes: true }, trim: () => undefined })),
    /expected 0x00/,
  ],
  [
    "says that data are zeroes",
    () => almost(() => ({ extents: (offset, length) => [{ offset, length, zero: true }] })),
    /are said to be zeroes, but byte .* is 0x/,
  ],
  [
    "goes on reporting a hole where something was written",
    () =>
      almost((_content, { extents }) => {
        const first = [...(extents(0n, BigInt(SIZE), { reqOne: false }) as Iterable<Extent>)];
        return { extents: () => first };
      }),
    /are said to be zeroes, but byte/,
  ],
  [
    "lists its holes in descending order",
    () =>
      almost((_content, { extents }) => ({
        extents: (...range) => [...(extents(...range) as Iterable<Extent>)].filter(({ hole }) => hole).reverse(),
      })),
    /listed its extents out of order/,
  ],
  [
    "counts its extents from the start of the range",
    () =>
      almost((_content, { extents }) => ({
        extents: (offset, length, flags) =>
          [...(extents(offset, length, flags) as Iterable<Extent>)].map((extent) => ({ ...extent, offset: extent.offset - offset })),
      })),
    /are said to be zeroes, but byte|impossible extent/,
  ],
  [
    "lists extents of no bytes",
    () => almost(() => ({ extents: (offset) => [{ offset, length: 0n }] })),
    /listed an impossible extent: 0 bytes/,
  ],
  [
    "lends other bytes than it reads",
    () => almost((content) => ({ views: (offset, length) => [slice(content, offset === 0n ? offset : offset - 1n, length)] })),
    /views of .*: byte .* is 0x/,
  ],
  [
    "lends fewer bytes than it was asked for",
    () => almost((content) => ({ views: (offset, length) => [slice(content, offset, Math.min(length, 1000))] })),
    /views of .* add up to another length/,
  ],
  [
    "lends what was there before the last write",
    () =>
      almost((content) => {
        let snapshot = content.slice();
        return {
          flush: () => {
            snapshot = content.slice();
          },
          views: (offset, length) => [slice(snapshot, offset, length)],
        };
      }),
    /views of .*expected/,
  ],
  [
    "lends room one byte too early",
    () => almost((content) => ({ room: (offset, length) => slice(content, offset === 0n ? offset : offset - 1n, length) })),
    /read of .*expected/,
  ],
  [
    "lends less room than it was asked for",
    () => almost((content) => ({ room: (offset, length) => slice(content, offset, length - 1) })),
    /room of .* bytes at .* has another length/,
  ],
  [
    "never answers",
    () => almost(() => ({ cache: () => new Promise(() => undefined) })),
    /not done after 300 ms: a call is never answered/,
    { timeout: 300 },
  ],
  [
    "mixes up requests that are under way at once",
    () =>
      almost((content) => {
        const scratch = new Uint8Array(SIZE);
        return {
          async read(target, offset) {
            scratch.set(slice(content, offset, target.length));
            await later();
            target.set(scratch.subarray(0, target.length));
          },
        };
      }),
    /read of .*expected/,
  ],
  [
    "writes in blocks that others may have changed meanwhile",
    () =>
      almost((content) => ({
        async write(source, offset) {
          const start = Number(offset) & ~4095;
          const block = content.slice(start, Math.min(SIZE, (Number(offset) + source.length + 4095) & ~4095));
          await later();
          block.set(source, Number(offset) - start);
          content.set(block, start);
        },
        zero: undefined as never,
      })),
    /expected|which is neither what was there nor what anybody wrote there/,
  ],
  [
    "says that clients see each other's writes, which they do not",
    () => ({ name: "separate", open: () => ({ ...over(bytes(SIZE)), flush: () => undefined, traits: { multiConn: true } }) }),
    /read of .*expected/,
  ],
  [
    "fails for the second client",
    () => {
      let opened = 0;
      return plugin(over(bytes(SIZE)), {
        open: () => {
          if (++opened > 1) throw new Error("the device is busy");
          return over(bytes(SIZE));
        },
      });
    },
    /the device is busy/,
  ],
  [
    "disturbs other clients when one closes",
    () => {
      let closed = false;
      const content = bytes(SIZE);
      return {
        name: "shared",
        start: () => {
          closed = false;
        },
        open: () => ({
          ...over(content, {
            read(target, offset) {
              if (closed) throw new Error("bad file descriptor");
              target.set(slice(content, offset, target.length));
            },
          }),
          close: () => {
            closed = true;
          },
        }),
      };
    },
    /bad file descriptor/,
  ],
  ["cannot close", () => almost(() => ({ close: () => Promise.reject(new Error("could not save")) })), /could not save/],
  [
    "cannot be opened again",
    () => {
      let closed = false;
      return plugin(over(bytes(SIZE)), {
        open: () => {
          if (closed) throw new Error("already ended");
          return over(bytes(SIZE));
        },
        close: () => {
          closed = true;
        },
      });
    },
    /already ended/,
  ],
  [
    "fails with what is no error",
    () =>
      ({
        name: "sloppy",
        open: ({ signal }) => ({ ...over(bytes(SIZE)), read: () => (signal.aborted ? Promise.reject("gone") : undefined) }),
      }) as Plugin,
    /which is no Error|expected/,
  ],
  [
    "does not keep what was flushed",
    () => ({ name: "forgetful", open: () => over(bytes(SIZE), { flush: () => undefined }) }),
    /read of .*expected/,
    { persistent: true },
  ],
  [
    "holds something else than was said",
    () => almost(() => ({})),
    /the content that was said, compared with a read/,
    { content: new Uint8Array(SIZE) },
  ],
  [
    "has lost a capability that was expected",
    () => almost(() => ({ trim: undefined as never })),
    /capabilities\.trim/,
    { expect: { trim: true } },
  ],
];

const directly = { routes: ["directly"] } as const;

test.each(broken)("a plugin that %s", { timeout: 30_000 }, async (_, factory, says, options = {}) => {
  const suite = (test: TestFunction) => testPlugin({ test, factory, ...directly, ...options });
  const { failed } = await outcomeOf(suite, (_name, text) => says.test(text));
  expect(
    [...failed.values()].filter((text) => says.test(text)),
    `found:\n${[...failed].join("\n")}`,
  ).not.toHaveLength(0);
});

test("a plugin with nothing wrong passes, so that what is found is what was made wrong", async () => {
  const outcome = await outcomeOf((test) => testPlugin({ test, factory: () => almost(() => ({})), ...directly }));
  expect([...outcome.failed]).toEqual([]);
  expect(outcome.passed.length).toBeGreaterThan(20);
});

/** A disk with a volatile cache that a power cut loses. */
function cached(change: (parts: { bytes: Uint8Array; stable: Uint8Array }) => Partial<Connection>) {
  const disk = ram(bytes(SIZE));
  const connection = (): Connection => ({ ...(disk.open({} as never) as Connection), ...change(disk) });
  return { ...disk, open: connection };
}

const unsafe: readonly [string, Parameters<typeof cached>[0], RegExp][] = [
  [
    "ignores FUA in writing",
    ({ bytes: volatile }) => ({ write: (source, offset) => volatile.set(source, Number(offset)) }),
    /was written with FUA/,
  ],
  [
    "ignores FUA in zeroing",
    ({ bytes: volatile }) => ({ zero: (offset, length) => void volatile.fill(0, Number(offset), Number(offset + length)) }),
    /was zeroed with FUA/,
  ],
  ["has a flush that does nothing", () => ({ flush: () => undefined }), /was written before a flush/],
];

test.each(unsafe)("a plugin that %s is found out by a power cut", { timeout: 30_000 }, async (_, change, rule) => {
  const crash = (disk: Plugin) => (disk as ReturnType<typeof ram>).afterPowerCut();
  const suite = (test: TestFunction) => testPlugin({ test, factory: () => cached(change), crash, ...directly });
  const { failed } = await outcomeOf(suite, (name) => rule.test(name));
  expect(
    [...failed.keys()].filter((name) => rule.test(name)),
    `found:\n${[...failed].join("\n")}`,
  ).not.toHaveLength(0);
});
