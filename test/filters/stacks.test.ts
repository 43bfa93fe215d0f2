// Filters that are to change nothing, over several plugins and over each other: nobody can tell that they are there.
// A new filter with settings under which it changes nothing is one line in fixtures/transparent.ts.

import { describe, expect, it } from "vitest";
import { errorCode, errorText, isPromise } from "../../src/contract/index.ts";
import {
  type Connection,
  cache,
  cow,
  type Disk,
  type Filter,
  filter,
  fua,
  memory,
  nocache,
  noextents,
  openDisk,
  type Plugin,
  pipe,
  readahead,
} from "../../src/index.ts";
import { type Call, classRam, ram, recorded } from "../../src/testing/index.ts";
import { transparent } from "../fixtures/transparent.ts";

/** Filters that do something, through which the same bytes are read and written all the same. */
const sameBytes: Readonly<Record<string, () => Filter>> = {
  cache: () => cache(),
  cow: () => cow(),
  fua: () => fua(),
  nocache: () => nocache(),
  noextents: () => noextents(),
  readahead: () => readahead(),
};

/** What a filter may take away after all, and why. */
const exceptions: Readonly<Record<string, readonly (keyof Observed)[]>> = {
  // It says which requests it makes of those that come.
  blocksize: ["shape"],
  // What arrives in a lent place would arrive while all is to be quiet.
  pause: ["room"],
  // Whether it may be written is found out when the write comes.
  readonly: ["room"],
  // The disk may be another one by the time that the bytes have come.
  retry: ["room"],
};

const SIZE = 16 * 1024;
const content = Uint8Array.from({ length: SIZE }, (_, i) => (Math.floor(i / 1000) % 2 === 0 ? 0 : (i * 7) & 0xff));

/** Plugins of all sorts, each with a disk of the same bytes. */
const plugins: Readonly<Record<string, () => Plugin>> = {
  "a disk that can do everything": () => ram(content),
  "a class's disk": () => classRam(content),
  "a disk that cannot be written": () => ram(content, { readonly: true }),
  "a disk with room": () => filled(memory(SIZE, { allocator: "malloc" })),
  "a disk that takes one request at a time": () => ({ ...ram(content), name: "serial", concurrency: "connection" }),
  "a disk that flushes and knows no FUA": () => filter("no-fua", () => ({ traits: { fua: "none" } }))(ram(content)),
  "a disk with a word about everything": () => talkative(ram(content)),
};

/** Those over which all pairs of filters are tried. */
const pairs: ReadonlySet<string> = new Set(["a disk that can do everything", "a class's disk"]);

/** The plugin with the content in it. */
function filled(plugin: Plugin): Plugin {
  return filter("filled", async (disk) => {
    await disk.write(content, 0n);
    return {};
  })(plugin);
}

/** The plugin with block sizes, a description and a context. */
function talkative(plugin: Plugin): Plugin {
  return filter("talkative", () => ({
    blockSize: { minimum: 1, preferred: 1024, maximum: 2 ** 20 },
    description: "a disk of many words",
    contexts: [{ name: "x-test:odd", extents: (at) => [{ offset: at, length: 1n, status: at & 1n }] }],
  }))(plugin);
}

/** What can be seen of a disk from above, and what it does below. */
interface Observed {
  readonly shape: unknown;
  readonly capabilities: unknown;
  readonly answers: readonly unknown[];
  readonly views: unknown;
  readonly room: unknown;
  readonly content: string;
  readonly calls: readonly string[];
}

const flags = { fua: true, noHole: false, fastZero: false };

/** Requests of all kinds, possible and impossible. */
const requests: Readonly<Record<string, (disk: Disk) => unknown>> = {
  read: (disk) => disk.read(new Uint8Array(512), 1000n),
  "read the end": (disk) => disk.read(new Uint8Array(1), BigInt(SIZE - 1)),
  "read nothing": (disk) => disk.read(new Uint8Array(0), 0n),
  "read past the end": (disk) => disk.read(new Uint8Array(2), BigInt(SIZE - 1)),
  write: (disk) => disk.write(new Uint8Array(700).fill(1), 333n),
  "write with FUA": (disk) => disk.write(new Uint8Array(10).fill(2), 0n, flags),
  "write nothing": (disk) => disk.write(new Uint8Array(0), 0n),
  "write past the end": (disk) => disk.write(new Uint8Array(2), BigInt(SIZE - 1)),
  flush: (disk) => disk.flush(),
  trim: (disk) => disk.trim(4096n, 512n),
  "trim with FUA": (disk) => disk.trim(8192n, 512n, flags),
  zero: (disk) => disk.zero(1024n, 2048n),
  "zero with FUA": (disk) => disk.zero(5000n, 10n, flags),
  "zero without a hole": (disk) => disk.zero(6000n, 1000n, { fua: false, noHole: true, fastZero: false }),
  "zero fast": (disk) => disk.zero(7000n, 1000n, { fua: false, noHole: false, fastZero: true }),
  extents: (disk) => disk.extents(0n, BigInt(SIZE)),
  "one extent": (disk) => disk.extents(100n, 5000n, { reqOne: true }),
  cache: (disk) => disk.cache(0n, 4096n),
  context: (disk) => disk.contexts[0]?.extents(3n, 100n),
};

/** Makes all requests of a stack, in which `filters` stand in the middle, and notes what can be seen. */
async function observe(plugin: Plugin, ...filters: readonly Filter[]): Promise<Observed> {
  const calls: Call[] = [];
  const spied = await openDisk(pipe(plugin, recorded("below", calls), ...filters));
  for (const request of Object.values(requests)) await answerOf(request, spied);
  await spied.close();

  const disk = await openDisk(pipe(plugin, ...filters));
  const { size, blockSize, description, contexts, capabilities } = disk;
  const lent = disk.views?.(100n, 1000);
  const views = lent && { pieces: lent.map(({ length }) => length), bytes: Buffer.concat(lent).toString("hex") };
  const room = disk.room?.(100n, 1000)?.length;
  const answers: unknown[] = [];
  for (const [name, request] of Object.entries(requests)) answers.push([name, ...(await answerOf(request, disk))]);
  const target = Buffer.alloc(SIZE);
  await disk.read(target, 0n);
  await disk.close();
  return {
    shape: { size, blockSize, description, contexts: contexts.map(({ name }) => name) },
    capabilities,
    answers,
    views,
    room,
    content: target.toString("hex"),
    calls: calls.map(String),
  };
}

/** Whether it was there at once, and what it was. */
async function answerOf(request: (disk: Disk) => unknown, disk: Disk): Promise<readonly [boolean, unknown]> {
  let atOnce = true;
  try {
    const answer = request(disk);
    atOnce = !isPromise(answer as PromiseLike<unknown>);
    return [atOnce, await answer];
  } catch (failure) {
    // A promise that fails, and a call that throws, are both fine ways to say no.
    return [atOnce, `${errorCode(failure)}: ${errorText(failure)}`];
  }
}

/** A filter that is known to be nothing: what is seen through it is what is to be seen. */
const nothing = (): Filter => filter("nothing", () => ({}));

function expectSame(seen: Observed, expected: Observed, ...names: readonly string[]): void {
  const excused = new Set(names.flatMap((name) => exceptions[name] ?? []));
  for (const key of Object.keys(expected) as (keyof Observed)[]) {
    if (!excused.has(key)) expect(seen[key], key).toEqual(expected[key]);
  }
}

const names = Object.keys(transparent);
const make = (name: string): Filter => (transparent[name] as () => Filter)();

for (const [over, plugin] of Object.entries(plugins)) {
  describe(`over ${over}`, () => {
    it.each(names)("%s cannot be told from nothing", async (name) => {
      expectSame(await observe(plugin(), make(name)), await observe(plugin(), nothing()), name);
    });

    if (pairs.has(over)) {
      it.each(names)("%s cannot be told from nothing above and below each of the others", async (name) => {
        const expected = await observe(plugin(), nothing(), nothing());
        for (const other of names) expectSame(await observe(plugin(), make(other), make(name)), expected, name, other);
      });

      it.each(Object.keys(sameBytes))("%s does the same to the bytes above and below each of the others", async (name) => {
        const does = sameBytes[name] as () => Filter;
        const { content: expected, shape } = await observe(plugin(), does());
        for (const other of names.filter((each) => each !== "blocksize")) {
          for (const stack of [
            [make(other), does()],
            [does(), make(other)],
          ]) {
            const seen = await observe(plugin(), ...stack);
            expect(seen.content, other).toBe(expected);
            expect(seen.shape, other).toEqual(shape);
          }
        }
      });
    }

    it("all of them together cannot be told from nothing", async () => {
      const all = names.map(make);
      expectSame(await observe(plugin(), ...all), await observe(plugin(), nothing()), ...names);
      expectSame(await observe(plugin(), ...all.toReversed()), await observe(plugin(), nothing()), ...names);
    });
  });
}

it("a filter that does something is found out", async () => {
  const changes: readonly ((disk: Disk) => Partial<Connection> & { readonly views?: undefined })[] = [
    (disk) => ({ read: async (target, at) => disk.read(target, at) }),
    (disk) => ({ write: (source, at) => disk.write(source, at) }),
    () => ({ blockSize: { minimum: 512, preferred: 512, maximum: 512 } }),
    (disk) => ({ zero: (at, length) => disk.zero(at, length) }),
  ];
  const expected = await observe(ram(content), nothing());
  for (const change of changes) {
    const seen = await observe(ram(content), filter("changed", change));
    expect(() => expectSame(seen, expected)).toThrow();
  }
});
