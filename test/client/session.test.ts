import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Channel, ChannelOwner } from "../../src/client/channel.ts";
import { Session } from "../../src/client/session.ts";
import type { ExportAgreement } from "../../src/protocol/client-negotiation.ts";
import * as wire from "./wire.ts";

const agreement: ExportAgreement = {
  exportName: "",
  description: undefined,
  size: 1n << 20n,
  flags: 0,
  blockSize: undefined,
  mode: "structured",
  contexts: [],
};

/** A session on a channel that the test looks into. */
function bench(requestTimeout = Number.POSITIVE_INFINITY): { session: Session; channel: FakeChannel; lost: unknown[] } {
  const channel = new FakeChannel();
  const lost: unknown[] = [];
  return { session: new Session(channel as unknown as Channel, agreement, requestTimeout, (error) => lost.push(error)), channel, lost };
}

class FakeChannel {
  owner: ChannelOwner | undefined;
  sent: Buffer = Buffer.alloc(0);
  finished = false;

  own(owner: ChannelOwner): void {
    this.owner = owner;
  }

  write(pieces: readonly Uint8Array[]): void {
    this.sent = Buffer.concat([this.sent, ...pieces]);
  }

  fail(error: unknown): void {
    this.owner?.lost(error);
  }

  async finish(): Promise<void> {
    this.finished = true;
  }

  /** The cookies of all requests, once they have been written. */
  async cookies(): Promise<bigint[]> {
    await new Promise((resolve) => process.nextTick(resolve));
    return Array.from({ length: this.sent.length / 28 }, (_, index) => this.sent.readBigUInt64BE(index * 28 + 8));
  }

  answer(cookie: bigint | undefined): void {
    this.owner?.receive(wire.chunk(cookie ?? 0n, wire.DONE, wire.NONE));
  }
}

const TRIM = wire.TRIM;

describe("Session", () => {
  it("never gives two requests the same cookie, also where one takes the place of another", async () => {
    const { session, channel } = bench();
    const all = new Set<bigint>();
    for (let round = 0; round < 50; round += 1) {
      const requests = [session.command(TRIM, 0n, 1n, 0), session.command(TRIM, 1n, 1n, 0)];
      channel.sent = channel.sent.subarray(0, 0);
      const cookies = await channel.cookies();
      for (const cookie of cookies) all.add(cookie);
      for (const cookie of cookies) channel.answer(cookie);
      await Promise.all(requests);
    }
    expect(all.size).toBe(100);
  });

  it("does not take a late reply for that of a newer request", async () => {
    const { session, channel } = bench();
    const first = session.command(TRIM, 0n, 1n, 0);
    const [cookie] = await channel.cookies();
    channel.answer(cookie);
    await first;
    void session.command(TRIM, 0n, 1n, 0).catch(() => undefined);
    expect(() => channel.answer(cookie)).toThrow("which no request under way has");
  });

  it("counts what is under way", async () => {
    const { session, channel } = bench();
    const requests = [session.command(TRIM, 0n, 1n, 0), session.command(TRIM, 0n, 1n, 0)];
    expect(session.inFlight).toBe(2);
    const [first, second] = await channel.cookies();
    channel.answer(second);
    expect(session.inFlight).toBe(1);
    channel.answer(first);
    expect(session.inFlight).toBe(0);
    await Promise.all(requests);
  });

  it("takes leave when it is closed, after the last reply", async () => {
    const { session, channel } = bench();
    const request = session.command(TRIM, 0n, 1n, 0);
    const [cookie] = await channel.cookies();
    const closing = session.close();
    await expect(session.command(TRIM, 0n, 1n, 0)).rejects.toMatchObject({ code: "ESHUTDOWN" });
    expect(channel.sent.length).toBe(28);
    channel.answer(cookie);
    await request;
    await closing;
    expect(channel.sent.readUInt16BE(28 + 6)).toBe(wire.DISC);
    expect(channel.finished).toBe(true);
  });

  it("tells once that it is lost, and closes without a word then", async () => {
    const { session, channel, lost } = bench();
    const request = session.command(TRIM, 0n, 1n, 0);
    const reason = new Error("gone");
    channel.fail(reason);
    await expect(request).rejects.toBe(reason);
    expect(lost).toEqual([reason]);
    expect(session.inFlight).toBe(0);
    await session.close();
  });
});

describe("the time for a request", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  it("is each request's own", async () => {
    const { session, channel, lost } = bench(100);
    const first = session.command(TRIM, 0n, 1n, 0);
    vi.advanceTimersByTime(80);
    const second = session.command(TRIM, 4096n, 1n, 0);
    second.catch(() => undefined);
    vi.advanceTimersByTime(10);
    channel.answer((await channel.cookies())[0]);
    await first;
    vi.advanceTimersByTime(89);
    expect(lost).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(lost).toEqual([
      expect.objectContaining({ code: "ETIMEDOUT", message: expect.stringContaining("trim 1 bytes at 4096 within 100 ms") }),
    ]);
    await expect(second).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("begins anew after a rest", async () => {
    const { session, channel, lost } = bench(100);
    for (let i = 0; i < 5; i += 1) {
      channel.sent = Buffer.alloc(0);
      const request = session.command(TRIM, 0n, 1n, 0);
      vi.advanceTimersByTime(99);
      channel.answer((await channel.cookies())[0]);
      await request;
      vi.advanceTimersByTime(i * 77);
    }
    expect(lost).toEqual([]);
    void session.command(TRIM, 0n, 1n, 0).catch(() => undefined);
    vi.advanceTimersByTime(100);
    expect(lost).toHaveLength(1);
  });

  it("leaves no timer behind when the session is closed", async () => {
    const { session, channel } = bench(100);
    const request = session.command(TRIM, 0n, 1n, 0);
    channel.answer((await channel.cookies())[0]);
    await request;
    await session.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that is longer than any timer can wait needs none", async () => {
    const { session } = bench(2 ** 40);
    void session.command(TRIM, 0n, 1n, 0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
