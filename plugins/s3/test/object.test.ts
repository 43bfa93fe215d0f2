// One object as a disk: what is asked of the service, and what happens when the object is not what it was.

import { s3 } from "@diskwright/s3";
import { openDisk } from "diskwright";
import { describe, expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { at, failureOf } from "./fixtures/disks.ts";
import { memoryS3 } from "./fixtures/memory-s3.ts";

const content = sample(1_000_000);

describe("reading", () => {
  test("a large read is done by several requests at once, and no more than allowed", async () => {
    const store = await memoryS3();
    store.put("disk", content);
    let now = 0;
    let most = 0;
    store.refuse = async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      return undefined;
    };
    await using disk = await openDisk(s3(at(store.endpoint, { partSize: "64k", concurrency: 3, readAhead: 0 })));
    const target = Buffer.alloc(content.length);
    await disk.read(target, 0n);
    expect(target.equals(content)).toBe(true);
    expect(store.asked.filter(({ method }) => method === "GET")).toHaveLength(Math.ceil(content.length / 65536));
    expect(most).toBeLessThanOrEqual(3);
    expect(most).toBeGreaterThan(1);
  });

  test("a client that reads in sequence is served by few requests, none of them for more than is read ahead", async () => {
    const store = await memoryS3();
    store.put("disk", content);
    await using disk = await openDisk(s3(at(store.endpoint, { partSize: "128k", readAhead: "256k" })));
    const target = Buffer.alloc(4096);
    for (let offset = 0; offset + 4096 <= content.length; offset += 4096) {
      await disk.read(target, BigInt(offset));
      expect(target.equals(content.subarray(offset, offset + 4096)), `at ${offset}`).toBe(true);
    }
    const gets = store.asked.filter(({ method }) => method === "GET");
    // The first two, before it is known to be a sequence, and each piece of 128k once.
    expect(gets.length).toBeLessThanOrEqual(2 + Math.ceil(content.length / 131072));
  });

  test("a client that reads at random fetches what it reads and nothing else", async () => {
    const store = await memoryS3();
    store.put("disk", content);
    await using disk = await openDisk(s3(at(store.endpoint)));
    for (const offset of [700_000, 4096, 512_000, 100]) await disk.read(Buffer.alloc(100), BigInt(offset));
    const ranges = store.asked.flatMap(({ headers }) => headers.range ?? []);
    expect(ranges).toEqual(["bytes=700000-700099", "bytes=4096-4195", "bytes=512000-512099", "bytes=100-199"]);
  });

  test("an empty object is an empty disk", async () => {
    const store = await memoryS3();
    store.put("disk", Buffer.alloc(0));
    await using disk = await openDisk(s3(at(store.endpoint)));
    expect(disk.size).toBe(0n);
  });

  test("cache() brings a range near, as far as may be read ahead", async () => {
    const store = await memoryS3();
    store.put("disk", content);
    await using disk = await openDisk(s3(at(store.endpoint, { partSize: "64k", readAhead: "128k" })));
    await disk.cache(0n, 131072n);
    const before = store.asked.length;
    const target = Buffer.alloc(131072);
    expect(disk.read(target, 0n)).toBeUndefined();
    expect(target.equals(content.subarray(0, 131072))).toBe(true);
    expect(store.asked.length).toBe(before);
  });
});

describe("an object that is replaced while it is open", () => {
  test.each([
    ["by another of the same size", sample(content.length, 9)],
    ["by a shorter one", sample(100)],
  ])("%s is an error, and never a mix", async (_, other) => {
    const store = await memoryS3();
    store.put("disk", content);
    await using disk = await openDisk(s3(at(store.endpoint)));
    await disk.read(Buffer.alloc(10), 0n);
    store.put("disk", other);
    const { code, message } = await failureOf(() => disk.read(Buffer.alloc(10), 500_000n));
    expect([code, message]).toEqual(["EIO", "s3://disks/disk was replaced since it was opened: open it again"]);
    await using again = await openDisk(s3(at(store.endpoint)));
    const target = Buffer.alloc(10);
    await again.read(target, 90n);
    expect(target.equals(other.subarray(90, 100))).toBe(true);
  });

  test("that is deleted is an error", async () => {
    const store = await memoryS3();
    store.put("disk", content);
    await using disk = await openDisk(s3(at(store.endpoint)));
    store.objects.clear();
    expect(await failureOf(() => disk.read(Buffer.alloc(10), 0n))).toEqual({
      code: "EIO",
      message: "s3://disks/disk is not there any more",
    });
  });
});

describe("the options", () => {
  test.each([
    [{ bucket: "" }, 'bucket: expected its name, at most 1024 bytes, not ""'],
    [{ endpoint: "ftp://x" }, 'endpoint "ftp://x": expected a URL'],
    [{ size: "1G", objectSize: 5000 }, "objectSize 5000: expected a power of two from 4k to 256M"],
    [{ size: "1G", objectSize: "1G" }, "objectSize 1073741824: expected a power of two from 4k to 256M"],
    [{ size: "1G", chunked: false }, "size and objectSize: they are of chunked disks, and chunked is false"],
    [{ concurrency: 0 }, "concurrency 0: expected a whole number from 1 to 1000"],
    [{ leaseTime: "1s" }, "leaseTime 1s: expected 3 to 1000 seconds"],
    [{ manifest: "no" as "never" }, 'manifest "no": expected new, always, never'],
    [{ encryption: "rot13" as "AES256" }, "encryption: expected AES256"],
  ])("%j is refused", async (options, text) => {
    const { code, message } = await failureOf(() => s3(at("http://127.0.0.1:1", options)));
    expect(code).toBe("EINVAL");
    expect(message).toContain(text);
  });
});

describe("what requests say", () => {
  test("the version, the credentials, the token and the customer's key", async () => {
    const store = await memoryS3();
    store.put("disk", content);
    const credentials = async () => ({ accessKeyId: "ANOTHER", secretAccessKey: () => "secret", sessionToken: "token" });
    const encryption = { customerKey: new Uint8Array(32).fill(7) };
    await using disk = await openDisk(s3(at(store.endpoint, { versionId: "v7", credentials, encryption })));
    await disk.read(Buffer.alloc(10), 0n);
    for (const { query, headers } of store.asked) {
      expect(query.get("versionId")).toBe("v7");
      expect(headers.authorization).toContain("Credential=ANOTHER/");
      expect(headers["x-amz-security-token"]).toBe("token");
      expect(headers["x-amz-server-side-encryption-customer-algorithm"]).toBe("AES256");
      expect(headers["x-amz-server-side-encryption-customer-key"]).toBe(Buffer.alloc(32, 7).toString("base64"));
      expect(headers["x-amz-server-side-encryption-customer-key-md5"]).toBeDefined();
    }
    expect(store.asked).toHaveLength(2);
  });

  test("nothing of who asks, when that is nobody", async () => {
    const store = await memoryS3();
    store.put("disk", content);
    await using disk = await openDisk(s3(at(store.endpoint, { credentials: "anonymous" })));
    await disk.read(Buffer.alloc(10), 0n);
    expect(store.asked.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });
});

test("the SDK's remark about Node is not shown, and its switch is left as it was", async () => {
  const store = await memoryS3();
  store.put("disk", content);
  const warnings: string[] = [];
  const listen = ({ message }: Error): void => void warnings.push(message);
  process.on("warning", listen);
  await (await openDisk(s3(at(store.endpoint)))).close();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", listen);
  expect(warnings).toEqual([]);
  expect(process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED).toBeUndefined();
});
