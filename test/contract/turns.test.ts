// Turns: so many at a time, in order, and nobody waits who does not want to any more.

import { describe, expect, test } from "vitest";
import { Turns } from "../../src/index.ts";

describe("turns", () => {
  test("are taken by so many at a time, in order", async () => {
    const turns = new Turns(2);
    const order: string[] = [];
    const first = await turns.take();
    const second = await turns.take();
    const wait = async (name: string): Promise<() => void> => {
      const done = await turns.take();
      order.push(name);
      return done;
    };
    const third = wait("third");
    const fourth = wait("fourth");
    await Promise.resolve();
    expect(order).toEqual([]);
    first();
    (await third)();
    await fourth;
    expect(order).toEqual(["third", "fourth"]);
    second();
  });

  test("are left by those who give up, and go to the next", async () => {
    const turns = new Turns(1);
    const done = await turns.take();
    const controller = new AbortController();
    const impatient = turns.take(controller.signal);
    const patient = turns.take();
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    done();
    (await patient)();
    (await turns.take())();
  });

  test("are not given to those who have given up before", async () => {
    const turns = new Turns(1);
    await expect(turns.take(AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
    (await turns.take())();
  });

  test("last as long as what is done in them, however that ends", async () => {
    const turns = new Turns(1);
    await expect(turns.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(
      turns.run(() => {
        throw new Error("at once");
      }),
    ).rejects.toThrow("at once");
    expect(await turns.run(() => 5)).toBe(5);
  });
});
