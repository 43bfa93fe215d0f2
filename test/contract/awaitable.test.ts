import { expect, test } from "vitest";
import { andThen, isPromise } from "../../src/contract/index.ts";

test("a promise is anything with a then()", () => {
  expect(isPromise(Promise.resolve())).toBe(true);
  // biome-ignore lint/suspicious/noThenProperty: this is the point
  expect(isPromise({ then: () => undefined } as never)).toBe(true);
  for (const value of [undefined, null, 0, "", {}, []]) expect(isPromise(value)).toBe(false);
});

test("what is at hand goes on at once, without a promise", () => {
  expect(andThen(1, (value) => value + 1)).toBe(2);
});

test("what comes later goes on later", async () => {
  const answer = andThen(Promise.resolve(1), (value) => value + 1);
  expect(isPromise(answer)).toBe(true);
  expect(await answer).toBe(2);
});

test("what fails does not go on", async () => {
  await expect(andThen(Promise.reject(new Error("no")), () => expect.unreachable())).rejects.toThrow("no");
});
