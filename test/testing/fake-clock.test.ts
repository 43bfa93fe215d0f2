import { expect, test } from "vitest";
import { fakeClock } from "../../src/testing/index.ts";

test("time passes when the test says so", async () => {
  const clock = fakeClock();
  expect(clock.now()).toBe(0);
  await clock.advance(5);
  expect(clock.now()).toBe(5);
});

test("sleepers wake in order, each at its moment", async () => {
  const clock = fakeClock();
  const woken: string[] = [];
  for (const milliseconds of [30, 10, 20]) void clock.sleep(milliseconds).then(() => woken.push(`${milliseconds} at ${clock.now()}`));
  await clock.advance(20);
  expect(woken).toEqual(["10 at 10", "20 at 20"]);
  expect(clock.sleepers).toBe(1);
  await clock.advance(9);
  expect(woken).toHaveLength(2);
  await clock.advance(1);
  expect(woken).toEqual(["10 at 10", "20 at 20", "30 at 30"]);
});

test("whoever falls asleep again wakes within the same stretch of time", async () => {
  const clock = fakeClock();
  const ticks: number[] = [];
  const tick = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(10);
      ticks.push(clock.now());
    }
  };
  void tick();
  await clock.advance(35);
  expect(ticks).toEqual([10, 20, 30]);
  expect(clock.now()).toBe(35);
});

test("a test waits until somebody sleeps before it lets time pass", async () => {
  const clock = fakeClock();
  const waiting = clock.asleep(2);
  let there = false;
  void waiting.then(() => {
    there = true;
  });
  const first = clock.sleep(1);
  await Promise.resolve();
  expect(there).toBe(false);
  const second = clock.sleep(1);
  await waiting;
  await clock.advance(1);
  await Promise.all([first, second]);
  await clock.asleep(0);
});

test("an aborted sleep ends at once, with the signal's reason", async () => {
  const clock = fakeClock();
  const controller = new AbortController();
  const sleeping = expect(clock.sleep(10, controller.signal)).rejects.toThrow("never mind");
  controller.abort(new Error("never mind"));
  await sleeping;
  expect(clock.sleepers).toBe(0);
  await expect(clock.sleep(10, controller.signal)).rejects.toThrow("never mind");
});

test("a sleep of nothing ends when time is looked at", async () => {
  const clock = fakeClock();
  const sleeping = clock.sleep(0);
  await clock.advance(0);
  await sleeping;
});
