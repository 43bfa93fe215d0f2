import { expect, it } from "vitest";
import { Pace } from "../../../src/plugins/file/pace.ts";

/** A pace, and calls that take so many milliseconds by its clock; false: a thread was to make it. */
function pacing(): { readonly call: (milliseconds: number) => boolean; readonly wait: (milliseconds: number) => void } {
  let now = 0;
  const pace = new Pace(() => now);
  return {
    call(milliseconds) {
      const start = pace.start();
      if (start === undefined) return false;
      now += milliseconds;
      pace.end(start);
      return true;
    },
    wait(milliseconds) {
      now += milliseconds;
    },
  };
}

it("calls are made at once as long as none waits", () => {
  const { call } = pacing();
  for (let i = 0; i < 1000; i += 1) expect(call(5)).toBe(true);
});

it("after two that waited, one soon after the other, threads make them for a second", () => {
  const { call, wait } = pacing();
  expect(call(6)).toBe(true);
  wait(99);
  expect(call(6)).toBe(true);
  expect(call(0)).toBe(false);
  wait(999);
  expect(call(0)).toBe(false);
  wait(1);
  expect(call(0)).toBe(true);
});

it("one by itself may be the processor's fault", () => {
  const { call, wait } = pacing();
  for (let i = 0; i < 10; i += 1) {
    expect(call(50)).toBe(true);
    wait(100);
    expect(call(0)).toBe(true);
  }
});

it("each trial that waits again doubles the pause, up to 16 seconds", () => {
  const { call, wait } = pacing();
  const twice = (): void => {
    expect(call(200)).toBe(true);
    expect(call(200)).toBe(true);
  };
  twice();
  for (const pause of [1000, 2000, 4000, 8000, 16000, 16000]) {
    wait(pause - 1);
    expect(call(0)).toBe(false);
    wait(1);
    twice();
  }
});

it("when it has gone well for as long as the last pause, the next pause is a short one", () => {
  const { call, wait } = pacing();
  const twice = (): void => {
    expect(call(200)).toBe(true);
    expect(call(200)).toBe(true);
  };
  twice();
  wait(1000);
  twice();
  wait(2000);
  for (let i = 0; i < 20; i += 1) {
    wait(100);
    expect(call(1)).toBe(true);
  }
  twice();
  wait(999);
  expect(call(0)).toBe(false);
  wait(1);
  expect(call(0)).toBe(true);
});
