// Disks in Ceph, through its own S3 gateway.

import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { type S3Options, s3 } from "@diskwright/s3";
import { openDisk, serve } from "diskwright";
import { testPlugin } from "diskwright/testing";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { run } from "../../../test/fixtures/run.ts";
import { sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { type Ceph, startCeph } from "./fixtures/ceph.ts";
import { failureOf } from "./fixtures/disks.ts";
import { BUCKET } from "./fixtures/memory-s3.ts";
import { proxy } from "./fixtures/proxy.ts";

describeWith(["ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph"], "Ceph", () => {
  let ceph: Ceph;
  let client: S3Client;
  let names = 0;

  beforeAll(async () => {
    ceph = await startCeph();
    client = new S3Client({ endpoint: ceph.endpoint, region: "us-east-1", forcePathStyle: true, credentials: ceph.credentials });
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  }, 120_000);
  afterAll(async () => {
    client?.destroy();
    await ceph?.close();
  });

  /** Options for a disk of its own. */
  const on = (options: Partial<S3Options> = {}): S3Options => {
    names += 1;
    return { endpoint: ceph.endpoint, bucket: BUCKET, key: `disk${names}`, credentials: ceph.credentials, retryDelay: "10ms", ...options };
  };
  const put = async (key: string, content: Uint8Array): Promise<void> => {
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: content }));
  };

  describe("the rules of the contract", () => {
    testPlugin({
      test,
      name: "many objects",
      routes: ["directly"],
      persistent: true,
      factory: () => s3(on({ size: "128k", objectSize: "32k", maxDirty: "64k" })),
      expect: { write: true, trim: true, extents: true },
    });
  });

  test("an object is read; another in its place is an error", async () => {
    const options = on();
    const content = sample(3_000_000);
    await put(options.key, content);
    await using disk = await openDisk(s3(options));
    const target = Buffer.alloc(content.length);
    await disk.read(target, 0n);
    expect(target.equals(content)).toBe(true);
    await put(options.key, sample(3_000_000, 2));
    expect((await failureOf(() => disk.read(Buffer.alloc(10), 2_900_000n))).message).toContain("was replaced since it was opened");
  });

  test("a second writer is kept out until the first is gone; readers are not", async () => {
    const options = on({ size: "10M", objectSize: "1M" });
    const first = await openDisk(s3(options));
    await first.write(Buffer.from("first"), 0n);
    await first.flush();
    const failure = await failureOf(() => openDisk(s3(options)));
    expect(failure.code).toBe("EBUSY");
    expect(failure.message).toMatch(/^the disk is being written by .*, process \d+, whose lease .* ends in \d+ s unless it is renewed/);
    await using reader = await openDisk(s3({ ...options, chunked: true }), { readonly: true });
    const target = Buffer.alloc(5);
    await reader.read(target, 0n);
    expect(target.toString()).toBe("first");
    await first.close();
    await using second = await openDisk(s3(options));
    await second.write(Buffer.from("second"), 0n);
  });

  test("what is wrong is said: the bucket, the secret, the object", async () => {
    expect((await failureOf(() => openDisk(s3(on({ bucket: "none" }))))).message).toContain("there is no bucket none");
    expect((await failureOf(() => openDisk(s3(on())))).message).toContain("there is no such object");
    const credentials = { ...ceph.credentials, secretAccessKey: "wrong" };
    const failure = await failureOf(() => openDisk(s3(on({ credentials, size: "1M", objectSize: "64k" }))));
    expect([failure.code, failure.message]).toEqual([
      "EACCES",
      expect.stringContaining("the secret key does not belong to the access key"),
    ]);
  });

  test("a gateway that is restarted in the middle is survived", async () => {
    await using disk = await openDisk(s3(on({ size: "64M", objectSize: "1M", maxDirty: "4M", maxAttempts: 20, retryDelay: "200ms" })));
    const content = sample(16 * 2 ** 20);
    const writing = (async () => {
      for (let at = 0; at < content.length; at += 2 ** 20) await disk.write(content.subarray(at, at + 2 ** 20), BigInt(at));
      await disk.flush();
    })();
    await Promise.all([writing, ceph.restart()]);
    const target = Buffer.alloc(content.length);
    await disk.read(target, 0n);
    expect(target.equals(content)).toBe(true);
  });

  test("answers that are spoiled on the way are asked for again", async () => {
    const way = await proxy(ceph.endpoint);
    const faults = ["503", "cut", "short", "lost"] as const;
    let count = 0;
    way.fault = () => {
      count += 1;
      return count % 3 === 0 ? faults[(count / 3) % faults.length] : undefined;
    };
    const options = on({ endpoint: way.endpoint, size: "4M", objectSize: "64k", maxDirty: "512k", maxAttempts: 10 });
    const content = sample(4 * 2 ** 20);
    const disk = await openDisk(s3(options));
    for (let at = 0; at < content.length; at += 100_000) await disk.write(content.subarray(at, at + 100_000), BigInt(at));
    await disk.close();
    await using again = await openDisk(s3(options));
    const target = Buffer.alloc(content.length);
    await again.read(target, 0n);
    expect(target.equals(content)).toBe(true);
  });

  describeWith(["qemu-img", "nbdinfo"], "clients", () => {
    test("qemu-img copies a disk into the bucket and finds it the same; its holes are holes", async () => {
      const server = await serve(s3(on({ size: "32M", objectSize: "256k" })), { unix: true });
      onTestFinished(() => server.close({ deadline: 0 }));
      const uri = server.uri as string;
      await run("qemu-io", [
        "-f",
        "raw",
        "-c",
        "write -P 7 1M 300k",
        "-c",
        "write -P 8 20M 1M",
        "-c",
        "discard 20M 512k",
        "-c",
        "flush",
        uri,
      ]);
      await run("qemu-io", ["-f", "raw", "-c", "read -P 7 1M 300k", "-c", "read -P 8 20992k 512k", "-c", "read -P 0 2M 18M", uri]);
      const { stdout } = await run("nbdinfo", ["--map", "--json", uri]);
      const data = (JSON.parse(stdout) as { offset: number; length: number; type: number }[]).filter(({ type }) => type === 0);
      expect(data.map(({ offset, length }) => [offset / 262144, length / 262144])).toEqual([
        [4, 2],
        [82, 2],
      ]);
    });
  });
});
