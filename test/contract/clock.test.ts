import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../src/contract/index.ts";

test("the time of this machine does not go back", () => {
  const before = systemClock.now();
  expect(systemClock.now()).toBeGreaterThanOrEqual(before);
});

test("no time at all is no wait, and an aborted signal ends that too", async () => {
  await systemClock.sleep(0);
  await systemClock.sleep(-5);
  await expect(systemClock.sleep(0, AbortSignal.abort(new Error("never mind")))).rejects.toThrow("never mind");
});

describe("sleeping", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("takes as long as it should, also longer than a timer can", async () => {
    const month = 30 * 24 * 3600 * 1000;
    for (const milliseconds of [10, month]) {
      let awake = false;
      const sleeping = systemClock.sleep(milliseconds).then(() => {
        awake = true;
      });
      await vi.advanceTimersByTimeAsync(milliseconds - 1);
      expect(awake).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      await sleeping;
    }
  });

  test("ends at once when the signal is aborted, and leaves no timer and no listener behind", async () => {
    const controller = new AbortController();
    const remove = vi.spyOn(controller.signal, "removeEventListener");
    const sleeping = expect(systemClock.sleep(1000, controller.signal)).rejects.toThrow("never mind");
    controller.abort(new Error("never mind"));
    await sleeping;
    expect(vi.getTimerCount()).toBe(0);
    expect(remove).toHaveBeenCalledOnce();
  });
});
