// One writer at a time, whatever happens to it.

import { s3 } from "@diskwright/s3";
import { openDisk } from "diskwright";
import { fakeClock } from "diskwright/testing";
import { expect, test } from "vitest";
import { at, failureOf } from "./fixtures/disks.ts";
import { memoryS3 } from "./fixtures/memory-s3.ts";
import { proxy } from "./fixtures/proxy.ts";

const shape = { size: "1M", objectSize: "64k", maxAttempts: 1 } as const;
const LEASE = "disk/diskwright-lease";

test("a second writer is refused, a reader is not, and the next is let in at once when the first has gone", async () => {
  const store = await memoryS3();
  const options = at(store.endpoint, shape);
  const first = await openDisk(s3(options));
  await first.write(Buffer.from("one"), 0n, { fua: true });
  expect(await failureOf(() => openDisk(s3(options)))).toEqual({
    code: "EBUSY",
    message: expect.stringMatching(
      /^the disk is being written by .*, process \d+, whose lease .* ends in \d+ s unless it is renewed: open it read-only/,
    ),
  });
  const reader = await openDisk(s3(options), { readonly: true });
  const target = Buffer.alloc(3);
  await reader.read(target, 0n);
  expect(target.toString()).toBe("one");
  await first.write(Buffer.from("two"), 0n, { fua: true });
  await reader.read(target, 0n);
  expect(target.toString()).toBe("two");
  await reader.close();
  await first.close();
  await (await openDisk(s3(options))).close();
});

test("all clients of one plugin are one writer", async () => {
  const store = await memoryS3();
  const plugin = s3(at(store.endpoint, shape));
  const [one, two] = [await openDisk(plugin), await openDisk(plugin)];
  await one.write(Buffer.from("x"), 0n);
  const target = Buffer.alloc(1);
  await two.read(target, 0n);
  expect(target.toString()).toBe("x");
  await one.close();
  await two.write(Buffer.from("y"), 0n, { fua: true });
  await two.close();
});

test("of many who come at the same moment one gets it", async () => {
  const store = await memoryS3();
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => openDisk(s3(at(store.endpoint, shape)))));
  const got = all.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  expect(got).toHaveLength(1);
  await got[0]?.close();
});

test("it is renewed for as long as the disk is open", async () => {
  const store = await memoryS3();
  const clock = fakeClock();
  const disk = await openDisk(s3(at(store.endpoint, { ...shape, clock })));
  for (let i = 0; i < 20; i += 1) {
    const before = store.objects.get(LEASE)?.etag;
    await clock.asleep(2);
    await clock.advance(5000);
    await expect.poll(() => store.objects.get(LEASE)?.etag).not.toBe(before);
  }
  await clock.asleep(2);
  await disk.write(Buffer.from("x"), 0n, { fua: true });
  await disk.close();
});

test("one that cannot be renewed stops the writer before somebody else may have it", async () => {
  const store = await memoryS3();
  const clock = fakeClock();
  const disk = await openDisk(s3(at(store.endpoint, { ...shape, clock })));
  await disk.write(Buffer.from("x"), 0n);
  store.refuse = ({ key }) => (key === LEASE ? { status: 500, code: "InternalError" } : undefined);
  await clock.advance(19_000);
  await disk.flush();
  await clock.advance(1_001);
  for (const work of [
    () => disk.write(Buffer.from("y"), 0n),
    () => disk.flush(),
    () => disk.zero(0n, 65536n),
    () => disk.trim(0n, 65536n),
  ]) {
    const { code, message } = await failureOf(work);
    expect([code, message]).toEqual(["EIO", "the lease s3://disks/disk/diskwright-lease could not be renewed within 20 s"]);
  }
  const target = Buffer.alloc(1);
  await disk.read(target, 0n);
  expect(target.toString()).toBe("x");
  await clock.advance(20_000);
  expect((await failureOf(() => disk.flush())).message).toContain("nothing is written any more until the disk is opened again");
  await disk.close();
});

test("one that somebody else took by force ends the writer, and what it has not stored is said to be lost", async () => {
  const store = await memoryS3();
  const clock = fakeClock();
  const disk = await openDisk(s3(at(store.endpoint, { ...shape, clock })));
  await disk.write(Buffer.from("x"), 0n);
  store.put(LEASE, Buffer.from(JSON.stringify({ format: "diskwright lease", owner: "other", holder: "other", seconds: 30, renewal: 1 })));
  await clock.asleep(2);
  await clock.advance(5_000);
  let failed = "";
  while (failed === "") {
    // Writes go into memory, until it is known.
    failed = await (async () => disk.write(Buffer.from("y"), 0n))().then(
      () => "",
      (error: Error) => error.message,
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(failed).toContain("somebody else took the lease");
  expect((await failureOf(() => disk.close())).message).toContain("65536 bytes of objects were written and could not be stored");
});

test("that of a writer who died ends by itself: by the service's clock, or as watched", async () => {
  const store = await memoryS3();
  const left = Buffer.from(JSON.stringify({ format: "diskwright lease", owner: "gone", holder: "gone", seconds: 30, renewal: 7 }));
  // Written a minute ago.
  store.ahead = -60_000;
  store.put(LEASE, left);
  store.ahead = 0;
  await (await openDisk(s3(at(store.endpoint, shape)))).close();
  // Written now: whoever waits gets it when its time is over.
  store.put(LEASE, left);
  expect((await failureOf(() => openDisk(s3(at(store.endpoint, shape))))).code).toBe("EBUSY");
  const clock = fakeClock();
  const opening = openDisk(s3(at(store.endpoint, { ...shape, clock, leaseWait: "60s" })));
  for (let i = 0; i < 32; i += 1) {
    await clock.asleep();
    await clock.advance(1000);
  }
  await (await opening).close();
});

test("a writer whose request was done, and the answer lost, knows itself", async () => {
  const store = await memoryS3();
  const way = await proxy(store.endpoint);
  let lost = 0;
  way.fault = (method, path) => {
    if (method !== "PUT" || !path.includes("diskwright-") || lost === 3) return undefined;
    lost += 1;
    return "lost";
  };
  const options = at(way.endpoint, { ...shape, maxAttempts: 5 });
  const disk = await openDisk(s3(options));
  expect(lost).toBe(3);
  await disk.write(Buffer.from("x"), 0n);
  await disk.close();
  await (await openDisk(s3(options))).close();
});

test("a service that ignores conditions is found out, and can be used without a lease", async () => {
  const store = await memoryS3();
  store.conditions = false;
  const failure = await failureOf(() => openDisk(s3(at(store.endpoint, shape))));
  expect(failure).toEqual({
    code: "ENOTSUP",
    message: expect.stringContaining("the service ignores conditions of writes (If-None-Match)"),
  });
  expect(store.objects.has(LEASE)).toBe(false);
  await (await openDisk(s3(at(store.endpoint, { ...shape, lease: false })))).close();
});

test("a service that has no conditions says so", async () => {
  const store = await memoryS3();
  store.refuse = ({ headers }) => (headers["if-none-match"] === undefined ? undefined : { status: 501, code: "NotImplemented" });
  expect((await failureOf(() => openDisk(s3(at(store.endpoint, shape))))).code).toBe("ENOTSUP");
});

test("an object in its place that is none is not overwritten", async () => {
  const store = await memoryS3();
  store.put(LEASE, Buffer.from("a file of somebody's"));
  expect((await failureOf(() => openDisk(s3(at(store.endpoint, shape))))).message).toContain("is no lease that this version understands");
  expect(store.objects.get(LEASE)?.content.toString()).toBe("a file of somebody's");
});
