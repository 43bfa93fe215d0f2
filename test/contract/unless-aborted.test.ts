import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { unlessAborted } from "../../src/index.ts";

it("is the same answer, and the signal is let go", async () => {
  const { signal } = new AbortController();
  expect(await unlessAborted(Promise.resolve(7), signal)).toBe(7);
  await expect(unlessAborted(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

it("is over when the signal is aborted, and what is waited for goes on", async () => {
  const controller = new AbortController();
  let resolve!: (value: number) => void;
  const shared = new Promise<number>((settle) => {
    resolve = settle;
  });
  const mine = unlessAborted(shared, controller.signal);
  const theirs = unlessAborted(shared, new AbortController().signal);
  controller.abort(new Error("enough"));
  await expect(mine).rejects.toThrow("enough");
  await expect(unlessAborted(shared, controller.signal)).rejects.toThrow("enough");
  resolve(3);
  expect(await theirs).toBe(3);
});

it("an answer that fails after all that is nobody's any more: it is not left unhandled", async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", note);
  let fail!: (error: Error) => void;
  const shared = new Promise<number>((_, reject) => {
    fail = reject;
  });
  await expect(unlessAborted(shared, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  fail(new Error("late"));
  await new Promise<void>((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});
