// The cache of blocks that formats with expensive blocks share.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockLru } from "../../src/common/block-lru.ts";
import { thrownBy } from "../contract/fixtures.ts";
import { deferred } from "../fixtures/deferred.ts";

const never = (): never => {
  throw new Error("fetched again");
};

function block(length: number, byte = 1): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

describe("what is kept", () => {
  it("is answered at once, the very block, without a promise", async () => {
    const blocks = new BlockLru(100);
    const first = await blocks.fetch(1, async () => block(10));
    expect(blocks.fetch(1, never)).toBe(first);
    expect(blocks.get(1)).toBe(first);
    expect(blocks.get(2)).toBeUndefined();
  });

  it("is also what was fetched at once", () => {
    const blocks = new BlockLru<string>(100);
    const first = blocks.fetch("a", () => block(10));
    expect(first).toBeInstanceOf(Uint8Array);
    expect(blocks.fetch("a", never)).toBe(first);
    expect(blocks).toMatchObject({ bytes: 10, count: 1 });
  });

  it("is what was used last, within the bytes allowed", () => {
    const blocks = new BlockLru(30);
    for (const key of [1, 2, 3]) blocks.set(key, block(10));
    blocks.get(1);
    blocks.set(4, block(10));
    expect([1, 2, 3, 4].filter((key) => blocks.get(key) !== undefined)).toEqual([1, 3, 4]);
    blocks.set(5, block(25));
    expect([1, 3, 4, 5].filter((key) => blocks.get(key) !== undefined)).toEqual([5]);
    expect(blocks).toMatchObject({ bytes: 25, count: 1 });
  });

  it("is never a block longer than all that may be kept, which costs no other its place", () => {
    const blocks = new BlockLru(30);
    blocks.set(1, block(30));
    expect(blocks.fetch(2, () => block(31))).toHaveLength(31);
    expect(blocks.get(1)).toBeDefined();
    expect(blocks.get(2)).toBeUndefined();
    const nothing = new BlockLru(0);
    expect(nothing.fetch(1, () => block(1))).toHaveLength(1);
    expect(nothing.count).toBe(0);
  });

  it("is counted right when a block takes the place of another, and when it is forgotten", () => {
    const blocks = new BlockLru(100);
    blocks.set(1, block(10));
    blocks.set(1, block(20));
    blocks.set(2, block(5));
    expect(blocks).toMatchObject({ bytes: 25, count: 2 });
    blocks.delete(1);
    blocks.delete(1);
    expect(blocks).toMatchObject({ bytes: 5, count: 1 });
    blocks.clear();
    expect(blocks).toMatchObject({ bytes: 0, count: 0 });
  });

  it("is never more than allowed, and the newest that fits (any order of calls)", () => {
    const call = fc.record({ key: fc.nat(5), length: fc.nat(40), what: fc.constantFrom("set", "get", "delete") });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const blocks = new BlockLru(64);
        let model: { key: number; length: number }[] = [];
        for (const { key, length, what } of calls) {
          const found = model.find((entry) => entry.key === key);
          if (what === "get") expect(blocks.get(key)?.length).toBe(found?.length);
          if (what === "set") blocks.set(key, block(length));
          if (what === "delete") blocks.delete(key);
          if (what !== "get" || found) model = model.filter((entry) => entry.key !== key);
          if (what === "get" && found) model.push(found);
          if (what === "set") model.push({ key, length });
          while (model.reduce((sum, entry) => sum + entry.length, 0) > 64) model.shift();
          expect(blocks).toMatchObject({ count: model.length, bytes: model.reduce((sum, entry) => sum + entry.length, 0) });
        }
      }),
    );
  });
});

describe("a fetch", () => {
  it("is shared by all who ask while it is under way", async () => {
    const blocks = new BlockLru(100);
    const arrival = deferred<Uint8Array>();
    let fetches = 0;
    const load = (): Promise<Uint8Array> => {
      fetches += 1;
      return arrival.promise;
    };
    const waiting = [1, 2, 3].map(() => blocks.fetch(7, load, new AbortController().signal));
    arrival.resolve(block(10));
    const [first, ...others] = await Promise.all(waiting);
    for (const other of others) expect(other).toBe(first);
    expect(fetches).toBe(1);
  });

  it("that fails is told to all who wait, and tried again by who asks next", async () => {
    const blocks = new BlockLru(100);
    const arrival = deferred<Uint8Array>();
    const waiting = [blocks.fetch(7, () => arrival.promise), blocks.fetch(7, never, new AbortController().signal)];
    arrival.reject(new Error("bad sector"));
    for (const one of waiting) await expect(one).rejects.toThrow("bad sector");
    expect(await blocks.fetch(7, async () => block(3))).toHaveLength(3);
  });

  it("that fails at once is thrown at once, and not kept", () => {
    const blocks = new BlockLru(100);
    expect(() => blocks.fetch(7, never)).toThrow("fetched again");
    expect(blocks.fetch(7, () => block(3))).toHaveLength(3);
  });

  it("goes on when one of those who wait gives up", async () => {
    const blocks = new BlockLru(100);
    const arrival = deferred<Uint8Array>();
    const impatient = new AbortController();
    let loading: AbortSignal | undefined;
    const load = (signal: AbortSignal): Promise<Uint8Array> => {
      loading = signal;
      return arrival.promise;
    };
    const one = blocks.fetch(7, load, impatient.signal);
    const other = blocks.fetch(7, never, new AbortController().signal);
    impatient.abort(new Error("the client is gone"));
    await expect(one).rejects.toThrow("the client is gone");
    expect(loading?.aborted).toBe(false);
    arrival.resolve(block(3));
    expect(await other).toHaveLength(3);
    expect(blocks.get(7)).toBeDefined();
  });

  it("is ended when everybody has given up, and who asks then starts anew", async () => {
    const blocks = new BlockLru(100);
    const impatient = new AbortController();
    const load = (signal: AbortSignal): Promise<Uint8Array> =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const waiting = [blocks.fetch(7, load, impatient.signal), blocks.fetch(7, never, impatient.signal)];
    impatient.abort(new Error("the client is gone"));
    const again = blocks.fetch(7, async () => block(3));
    for (const one of waiting) await expect(one).rejects.toThrow("the client is gone");
    expect(await again).toHaveLength(3);
    expect(blocks.get(7)).toHaveLength(3);
  });

  it("goes on for those who never give up", async () => {
    const blocks = new BlockLru(100);
    const arrival = deferred<Uint8Array>();
    const impatient = new AbortController();
    let loading: AbortSignal | undefined;
    const patient = blocks.fetch(7, (signal) => {
      loading = signal;
      return arrival.promise;
    });
    const one = blocks.fetch(7, never, impatient.signal);
    impatient.abort();
    await expect(one).rejects.toThrow();
    expect(loading?.aborted).toBe(false);
    arrival.resolve(block(3));
    expect(await patient).toHaveLength(3);
  });

  it("is not begun for those who have given up before", async () => {
    const blocks = new BlockLru(100);
    expect(await thrownBy(() => blocks.fetch(7, never, AbortSignal.abort(new Error("gone"))))).toMatchObject({ message: "gone" });
  });

  it("is not kept when the block was changed or forgotten meanwhile", async () => {
    for (const change of ["set", "delete", "clear"] as const) {
      const blocks = new BlockLru(100);
      const arrival = deferred<Uint8Array>();
      const old = blocks.fetch(7, () => arrival.promise);
      if (change === "set") blocks.set(7, block(3, 2));
      else blocks[change](7);
      if (change !== "set") expect(await blocks.fetch(7, async () => block(3, 2))).toEqual(block(3, 2));
      arrival.resolve(block(3, 1));
      expect(await old).toEqual(block(3, 1));
      expect(blocks.get(7)).toEqual(block(3, 2));
    }
  });

  it("leaves no listener behind on the signal of who waited", async () => {
    const blocks = new BlockLru(100);
    const { signal } = new AbortController();
    let listeners = 0;
    const counting = new Proxy(signal, {
      get(target, key) {
        if (key === "addEventListener") listeners += 1;
        if (key === "removeEventListener") listeners -= 1;
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await blocks.fetch(7, async () => block(3), counting);
    await new Promise((resolve) => setImmediate(resolve));
    expect(listeners).toBe(0);
  });
});
