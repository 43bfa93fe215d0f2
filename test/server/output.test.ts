// What goes to a client is gathered and written at once; buffers go back to the pool when the stream has taken them, and not before.

import { Duplex, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { BufferPool } from "../../src/server/buffers.ts";
import { Output } from "../../src/server/output.ts";
import { turn } from "../contract/fixtures.ts";
import { noise, random } from "../fixtures/bytes.ts";

/** A pool that knows what it has lent. */
class WatchedPool extends BufferPool {
  readonly out = new Set<Buffer>();
  override take(length: number): Buffer {
    const buffer = super.take(length);
    if (this.out.has(buffer)) throw new Error("a buffer was lent twice");
    this.out.add(buffer);
    return buffer;
  }
  override give(buffer: Buffer): void {
    if (!this.out.delete(buffer)) throw new Error("a buffer was given back that is not out");
    super.give(buffer);
  }
}

/** A stream that keeps what it is given, taking its time as told. */
function sink(take: (done: () => void) => void = (done) => done()): { stream: Duplex; written: Buffer[]; writes: number } {
  const written: Buffer[] = [];
  const state = {
    written,
    writes: 0,
    stream: new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        state.writes += 1;
        written.push(Buffer.from(chunk));
        take(done);
      },
      writev(chunks, done) {
        state.writes += 1;
        for (const { chunk } of chunks) written.push(Buffer.from(chunk as Buffer));
        take(done);
      },
    }),
  };
  return state;
}

/** Has text gathered. */
function put(output: Output, text: string): void {
  const at = output.reserve(text.length);
  output.buffer.write(text, at);
}

describe("output", () => {
  it("is written when it is flushed, all of it in one go", () => {
    const state = sink();
    const output = new Output(state.stream, new BufferPool(), true);
    put(output, "hello");
    output.push(Buffer.from(", "));
    put(output, "world");
    expect(state.writes).toBe(0);
    output.flush();
    expect(Buffer.concat(state.written).toString()).toBe("hello, world");
    expect(state.writes).toBe(1);
    output.flush();
    expect(state.writes).toBe(1);
  });

  it("takes back what was reserved last", () => {
    const state = sink();
    const output = new Output(state.stream, new BufferPool(), true);
    put(output, "abc");
    put(output, "xxx");
    output.unreserve(3);
    put(output, "def");
    output.flush();
    expect(Buffer.concat(state.written).toString()).toBe("abcdef");
  });

  it("never uses again what somebody holds on to", () => {
    const state = sink();
    const pool = new WatchedPool();
    const output = new Output(state.stream, pool, true);
    put(output, "abc");
    const at = output.reserve(3);
    const held = output.buffer.subarray(at, at + 3);
    output.abandon(3);
    for (let i = 0; i < 100; i += 1) put(output, ".".repeat(10_000));
    held.write("xyz");
    output.push(held);
    output.flush();
    expect(Buffer.concat(state.written).subarray(0, 3).toString()).toBe("abc");
    expect(Buffer.concat(state.written).subarray(-3).toString()).toBe("xyz");
    expect([...pool.out].some((buffer) => buffer.buffer === held.buffer)).toBe(true);
  });

  it("keeps its buffers until the stream has taken them", async () => {
    const pool = new WatchedPool();
    const waiting: (() => void)[] = [];
    const { stream } = sink((done) => void waiting.push(done));
    const output = new Output(stream, pool, true);
    const lent = pool.take(100_000);
    output.reserve(10);
    output.push(lent, lent);
    output.flush();
    expect(pool.out.size).toBe(2);
    output.reserve(10);
    output.flush();
    expect(pool.out.size).toBe(3);
    waiting.shift()?.();
    await turn();
    expect(pool.out.size).toBe(1);
    waiting.shift()?.();
    await turn();
    expect(pool.out.size).toBe(0);
  });

  it("uses nothing again that the reader of a stream in memory may hold on to", async () => {
    const pool = new WatchedPool();
    const { stream } = sink();
    const output = new Output(stream, pool, false);
    put(output, "hello");
    output.flush();
    await turn();
    expect(pool.out.size).toBe(1);
  });

  it("writes nothing twice when a stream in memory has the next request handled within the write", () => {
    const written: string[] = [];
    let more = 3;
    const stream: Writable = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk.toString());
        if (more-- > 0) {
          output.push(Buffer.from(`reply ${more}`));
          output.flush();
        }
        done();
      },
    });
    const output = new Output(stream as Duplex, new BufferPool(), true);
    output.push(Buffer.from("first"));
    output.flush();
    expect(written).toEqual(["first", "reply 2", "reply 1", "reply 0"]);
  });

  it("keeps the order of what is gathered, pushed, taken back and abandoned, whatever comes when", async () => {
    const next = random(3);
    const pool = new WatchedPool();
    const state = sink((done) => (next() % 2 === 0 ? done() : setImmediate(done)));
    const output = new Output(state.stream, pool, true);
    const expected: Buffer[] = [];
    for (let i = 0; i < 5000; i += 1) {
      const length = 1 + (next() % (next() % 10 === 0 ? 60_000 : 300));
      const bytes = noise(length, 1 + (i % 250));
      const kind = next() % 6;
      if (kind < 3) {
        const at = output.reserve(length);
        output.buffer.set(bytes, at);
        if (kind === 0) output.unreserve(length);
        else if (kind === 1) output.abandon(length);
        else expected.push(bytes);
      } else if (kind === 3) {
        output.push(bytes);
        expected.push(bytes);
      } else if (kind === 4) {
        const lent = pool.take(length);
        lent.set(bytes);
        output.push(lent.subarray(0, length), lent);
        expected.push(bytes);
      } else {
        output.flush();
        if (next() % 4 === 0) await turn();
      }
    }
    output.flush();
    while (state.stream.writableLength > 0) await turn();
    expect(Buffer.concat(state.written).equals(Buffer.concat(expected))).toBe(true);
  });
});

describe("the pool of buffers", () => {
  it.each([
    [1, 4096],
    [4096, 4096],
    [4097, 8192],
    [65_552, 131_072],
    [4 * 1024 * 1024, 4 * 1024 * 1024],
  ])("lends for %i bytes a buffer of %i, and room for another request behind it", (length, size) => {
    expect(new BufferPool().take(length).length).toBe(size + 64);
  });

  it("lends what was given back again", () => {
    const pool = new BufferPool();
    const buffer = pool.take(5000);
    pool.give(buffer);
    expect(pool.take(8192) === buffer).toBe(true);
    expect(pool.take(8192) === buffer).toBe(false);
  });

  it("keeps no more than its capacity", () => {
    const pool = new BufferPool(10_000);
    const buffers = [pool.take(8192), pool.take(8192)];
    for (const buffer of buffers) pool.give(buffer);
    expect([pool.take(8192), pool.take(8192)].filter((buffer) => buffers.includes(buffer))).toHaveLength(1);
  });

  it("keeps neither what is too large nor what it has not lent", () => {
    const pool = new BufferPool();
    const large = pool.take(5 * 1024 * 1024);
    expect(large.length).toBe(5 * 1024 * 1024 + 64);
    pool.give(large);
    expect(pool.take(5 * 1024 * 1024) === large).toBe(false);
    const foreign = Buffer.alloc(5000);
    pool.give(foreign);
    expect(pool.take(5000) === foreign).toBe(false);
  });
});
