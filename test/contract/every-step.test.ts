import { expect, test } from "vitest";
import { everyStep, failAfter } from "../../src/contract/every-step.ts";
import { DiskError } from "../../src/contract/index.ts";
import { deferred } from "../fixtures/deferred.ts";
import { thrownBy, turn } from "./fixtures.ts";

const failing = (error: unknown) => () => {
  throw error;
};

test("steps are taken one after the other", async () => {
  const first = deferred();
  const order: number[] = [];
  const all = everyStep(
    async () => {
      await first.promise;
      order.push(1);
    },
    () => order.push(2),
  );
  await turn();
  expect(order).toEqual([]);
  first.resolve();
  await all;
  expect(order).toEqual([1, 2]);
});

test("steps that answer at once are all taken at once", () => {
  const order: number[] = [];
  void everyStep(
    () => order.push(1),
    () => order.push(2),
  );
  expect(order).toEqual([1, 2]);
});

test("a step is taken also when those before it failed, and the one error is thrown as it is", async () => {
  const error = new DiskError("ENOSPC", "full");
  const order: number[] = [];
  expect(await thrownBy(() => everyStep(failing(error), () => order.push(2)))).toBe(error);
  expect(
    await thrownBy(() =>
      everyStep(
        () => order.push(1),
        () => Promise.reject(error),
      ),
    ),
  ).toBe(error);
  expect(order).toEqual([2, 1]);
});

test("of several errors none is lost, and the first one's code is that of all", async () => {
  const errors = [new DiskError("ENOSPC", "full"), new Error("cable pulled")];
  const error = await thrownBy(() => everyStep(failing(errors[0]), failing(errors[1])));
  expect(error).toMatchObject({ code: "ENOSPC", message: "full; then cable pulled", errors });
});

test("what is thrown need not be an error", async () => {
  expect(await thrownBy(() => everyStep(failing(undefined), () => undefined))).toBeUndefined();
});

test("failAfter cleans up and throws what it was done for", async () => {
  const order: number[] = [];
  const error = new Error("no");
  expect(
    await thrownBy(() =>
      failAfter(
        error,
        () => order.push(1),
        () => order.push(2),
      ),
    ),
  ).toBe(error);
  expect(order).toEqual([1, 2]);
  expect(await thrownBy(() => failAfter(error, failing(new Error("worse"))))).toMatchObject({ message: "no; then worse" });
});
