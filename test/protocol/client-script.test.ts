import { describe, expect, it } from "vitest";
import { read, type Script, ScriptRunner, send } from "../../src/protocol/client-script.ts";

function* echo(): Script<string> {
  yield* send(Buffer.from("who?"));
  const length = (yield* read(1, "a length")).readUInt8();
  const name = yield* read(length, "a name");
  yield* send(Buffer.from("hello "));
  yield* send(name);
  return name.toString();
}

describe("ScriptRunner", () => {
  it("sends what comes before the first wait when it starts, and says what it waits for", () => {
    const runner = new ScriptRunner(echo());
    runner.start();
    expect(Buffer.concat(runner.takeOutput()).toString()).toBe("who?");
    expect(runner.takeOutput()).toEqual([]);
    expect(runner.awaiting).toBe("a length");
    expect(runner.result).toBeUndefined();
  });

  it.each([1, 2, 4])("gives the script what it asks for, however it arrives: %i bytes at a time", (size) => {
    const runner = new ScriptRunner(echo());
    runner.start();
    runner.takeOutput();
    const input = Buffer.from("\x04Jane");
    for (let at = 0; at < input.length; at += size)
      expect(runner.receive(input.subarray(at, at + size))).toBe(Math.min(size, input.length - at));
    expect(runner.result).toEqual({ value: "Jane" });
    expect(Buffer.concat(runner.takeOutput()).toString()).toBe("hello Jane");
  });

  it("leaves what comes after the end", () => {
    const runner = new ScriptRunner(echo());
    runner.start();
    expect(runner.receive(Buffer.from("\x01Jane"))).toBe(2);
    expect(runner.result).toEqual({ value: "J" });
  });

  it("goes on at once where nothing is to be read", () => {
    const runner = new ScriptRunner(echo());
    runner.start();
    runner.receive(Buffer.from("\0"));
    expect(runner.result).toEqual({ value: "" });
  });

  it("throws what the script throws, and keeps what it said before", () => {
    function* refuse(): Script<never> {
      yield* send(Buffer.from("no"));
      throw new Error("never");
    }
    const runner = new ScriptRunner(refuse());
    expect(() => runner.start()).toThrow("never");
    expect(Buffer.concat(runner.takeOutput()).toString()).toBe("no");
  });
});
