import { describe, expect, it } from "vitest";
import type { Channel } from "../../src/client/channel.ts";
import { COPY, Outbox } from "../../src/client/outbox.ts";

/** An outbox, and the writes that came of it. */
function outbox(): { outbox: Outbox; writes: Uint8Array[][] } {
  const writes: Uint8Array[][] = [];
  const channel = { write: (pieces: readonly Uint8Array[]) => void writes.push([...pieces]) };
  return { outbox: new Outbox(channel as unknown as Channel), writes };
}

function header(box: Outbox, text: string): void {
  const at = box.reserve(text.length);
  box.buffer.write(text, at, "latin1");
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("Outbox", () => {
  it("writes what one turn gathers in one piece, promise callbacks included", async () => {
    const { outbox: box, writes } = outbox();
    header(box, "one ");
    await Promise.resolve().then(() => header(box, "two "));
    await Promise.resolve();
    header(box, "three");
    expect(writes).toEqual([]);
    await turn();
    expect(writes.map((pieces) => Buffer.concat(pieces).toString())).toEqual(["one two three"]);
    expect(writes[0]).toHaveLength(1);
    header(box, "four");
    await turn();
    expect(writes.at(-1)?.map(String)).toEqual([String(Buffer.from("four"))]);
  });

  it("copies a small payload behind its header, and passes a large one on as it is", async () => {
    const { outbox: box, writes } = outbox();
    const small = Buffer.alloc(COPY, "s");
    const large = Buffer.alloc(COPY + 1, "l");
    header(box, "a");
    box.push(small);
    header(box, "b");
    box.push(large);
    header(box, "c");
    await turn();
    const [pieces] = writes;
    expect(pieces).toHaveLength(3);
    expect(pieces?.[1]).toBe(large);
    expect(Buffer.concat(pieces ?? []).equals(Buffer.concat([Buffer.from("a"), small, Buffer.from("b"), large, Buffer.from("c")]))).toBe(
      true,
    );
  });

  it("never uses memory again that the socket may still hold", async () => {
    const { outbox: box, writes } = outbox();
    const expected: string[] = [];
    for (let i = 0; i < 20_000; i += 1) {
      const text = `request ${i} `;
      expected.push(text);
      header(box, text);
      if (i % 1000 === 0) await turn();
    }
    await turn();
    expect(Buffer.concat(writes.flat()).toString()).toBe(expected.join(""));
  });

  it("writes at once when told to, and then nothing more", async () => {
    const { outbox: box, writes } = outbox();
    header(box, "now");
    box.flush();
    expect(writes).toHaveLength(1);
    await turn();
    expect(writes).toHaveLength(1);
  });
});
