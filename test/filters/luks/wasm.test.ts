import { describe, expect, test } from "vitest";
import { fillBytes } from "../../../src/filters/luks/argon2/fill-kernel.ts";
import { assemble, get, I32, I64, i32, i32Add, i32Less, i32Store, i64, i64Store, loop, set } from "../../../src/filters/luks/wasm.ts";
import { webAssembly } from "../../../src/filters/luks/web-assembly.ts";
import { kernelBytes } from "../../../src/filters/luks/xts-kernel.ts";

type Functions = Record<string, (...args: (number | bigint)[]) => void>;

describe("the assembler", () => {
  test("encodes numbers of every size and sign", () => {
    const { Module, Instance, Memory } = webAssembly();
    const memory = new Memory({ initial: 1 });
    const small = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, 2 ** 31 - 1, -(2 ** 31)];
    const large = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 0x0123456789abcdefn];
    const body = [
      small.map((value, index) => i32Store(i32(index * 4), i32(value))),
      large.map((value, index) => i64Store(i32(4096), i64(value), 1000 + index * 8)),
    ];
    const bytes = assemble({ minimum: 1 }, [{ name: "numbers", params: [], locals: [], body }]);
    const { numbers } = new Instance(new Module(bytes), { env: { memory } }).exports as Functions;
    numbers?.();
    const view = new DataView(memory.buffer);
    expect(small.map((_, index) => view.getInt32(index * 4, true))).toEqual(small);
    expect(large.map((_, index) => view.getBigInt64(5096 + index * 8, true))).toEqual(large);
  });

  test("repeats, with parameters and locals", () => {
    const { Module, Instance, Memory } = webAssembly();
    const memory = new Memory({ initial: 1 });
    const body = loop(i32Less(get(2), get(0)), [i32Store(i32(0), i32Add(get(2), i32(1))), set(2, i32Add(get(2), i32(1)))]);
    const bytes = assemble({ minimum: 1 }, [{ name: "count", params: [I32, I64], locals: [I32], body }]);
    const { count } = new Instance(new Module(bytes), { env: { memory } }).exports as Functions;
    count?.(300, 0n);
    expect(new DataView(memory.buffer).getInt32(0, true)).toBe(300);
  });

  test("makes small modules", () => {
    expect(kernelBytes().length).toBeLessThan(500);
    expect(fillBytes(16_384).length).toBeLessThan(5000);
  });
});
