// Locks on ranges of blocks: who conflicts waits, in order; who does not goes on.

import { expect, test } from "vitest";
import { RangeLocks } from "../../src/common/range-locks.ts";
import { deferred } from "../fixtures/deferred.ts";

test("a range that somebody holds is free for those who are not in the way", async () => {
  const locks = new RangeLocks();
  const work = deferred<string>();
  const answer = locks.during(2, 5, false, work.promise);
  expect(locks.isFree(2, 5, false)).toBe(true);
  expect(locks.isFree(5, 9, true)).toBe(false);
  expect(locks.isFree(6, 9, true)).toBe(true);
  work.resolve("done");
  expect(await answer).toBe("done");
  expect(locks.isFree(0, 9, true)).toBe(true);
});

test("those who wait go on in the order in which they asked", async () => {
  const locks = new RangeLocks();
  const order: string[] = [];
  const first = deferred<void>();
  const writing = locks.during(0, 3, true, first.promise);
  const look = locks.run(1, 1, false, () => order.push("look"));
  const change = locks.run(0, 9, true, () => order.push("change"));
  const lookAfter = locks.run(8, 8, false, () => order.push("look after"));
  const elsewhere = locks.run(20, 20, true, () => order.push("elsewhere"));
  await elsewhere;
  expect(order).toEqual(["elsewhere"]);
  first.resolve();
  await Promise.all([writing, look, change, lookAfter]);
  expect(order).toEqual(["elsewhere", "look", "change", "look after"]);
});

test("one that fails lets the next go on, and is heard", async () => {
  const locks = new RangeLocks();
  const failing = locks.run(0, 0, true, () => Promise.reject(new Error("no")));
  const next = locks.run(0, 0, true, () => "yes");
  const last = locks.during(5, 5, true, Promise.reject(new Error("not this either")));
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe("yes");
  await expect(last).rejects.toThrow("not this either");
  expect(locks.isFree(0, 9, true)).toBe(true);
});
