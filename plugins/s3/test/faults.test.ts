// A service that is busy, slow, gone or lying, and what is said of services that say no.

import { s3 } from "@diskwright/s3";
import { openDisk } from "diskwright";
import { describe, expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { at, failureOf } from "./fixtures/disks.ts";
import { memoryS3, type Refusal } from "./fixtures/memory-s3.ts";
import { type Fault, proxy } from "./fixtures/proxy.ts";

const content = sample(300_000);

/** A store with an object, and a proxy in front of it. */
async function behindProxy() {
  const store = await memoryS3();
  store.put("disk", content);
  return { store, way: await proxy(store.endpoint) };
}

describe("an answer that is spoiled", () => {
  test.each(["503", "cut", "short", "long", "stall", "silence"] satisfies Fault[])(
    "%s: is asked for again, and what is read is right",
    async (fault) => {
      const { way } = await behindProxy();
      let bad = 3;
      way.fault = (method) => {
        if (method === "GET" && bad > 0) {
          bad -= 1;
          return fault;
        }
        return undefined;
      };
      await using disk = await openDisk(s3(at(way.endpoint, { timeout: "100ms" })));
      const target = Buffer.alloc(200_000);
      await disk.read(target, 50_000n);
      expect(target.equals(content.subarray(50_000, 250_000))).toBe(true);
      expect(bad).toBe(0);
    },
  );

  test.each([
    ["503", "EIO", /^cannot read s3:\/\/disks\/disk: the service asks for fewer requests \(503 SlowDown: .*\) \(tried 2 times\)$/],
    ["cut", "EIO|ECONNRESET", /^cannot read s3:\/\/disks\/disk: .* \(tried 2 times\)$/],
    ["short", "EIO", /: the answer was cut off: 100 of 200 bytes came \(tried 2 times\)$/],
    ["long", "EIO", /: more than the 200 bytes came that were asked for \(tried 2 times\)$/],
    ["stall", "ETIMEDOUT", /: the service did not answer in time: .* \(tried 2 times\)$/],
    ["silence", "ETIMEDOUT", /: the service did not answer in time: .* \(tried 2 times\)$/],
  ] as const)("%s: as often as is allowed, and then it is an error", async (fault, code, text) => {
    const { way } = await behindProxy();
    await using disk = await openDisk(s3(at(way.endpoint, { timeout: "100ms", maxAttempts: 2 })));
    way.count = 0;
    way.fault = () => fault;
    const failure = await failureOf(() => disk.read(Buffer.alloc(200), 50_000n));
    expect(failure.code).toMatch(new RegExp(`^(${code})$`));
    expect(failure.message).toMatch(text);
    expect(way.count).toBe(2);
  });

  test("a service that went away and comes back is found again", async () => {
    const { way } = await behindProxy();
    await using disk = await openDisk(s3(at(way.endpoint, { maxAttempts: 1, timeout: "100ms" })));
    way.fault = () => "silence";
    await failureOf(() => disk.read(Buffer.alloc(200), 0n));
    way.fault = () => undefined;
    const target = Buffer.alloc(200);
    await disk.read(target, 0n);
    expect(target.equals(content.subarray(0, 200))).toBe(true);
  });
});

describe("a client that goes", () => {
  test.each(["silence", "stall"] satisfies Fault[])("has its requests ended at once (%s)", async (fault) => {
    const { way } = await behindProxy();
    const controller = new AbortController();
    await using disk = await openDisk(s3(at(way.endpoint)), { signal: controller.signal });
    let heard = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      heard = resolve;
    });
    way.fault = () => {
      heard();
      return fault;
    };
    const reading = failureOf(() => disk.read(Buffer.alloc(200_000), 0n));
    await asked;
    controller.abort();
    expect((await reading).code).toBe("ESHUTDOWN");
  });

  test("does not wait for the next attempt", async () => {
    const { way } = await behindProxy();
    const controller = new AbortController();
    await using disk = await openDisk(s3(at(way.endpoint, { retryDelay: "10s" })), { signal: controller.signal });
    way.fault = () => "503";
    const reading = failureOf(() => disk.read(Buffer.alloc(200), 0n));
    while (way.count < 2) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    expect((await reading).code).toBe("ESHUTDOWN");
  });
});

describe("a service that says no", () => {
  test.each([
    [{ status: 403, code: "AccessDenied" }, "EACCES", "the credentials do not allow it (403 AccessDenied)"],
    [{ status: 403, code: "InvalidAccessKeyId" }, "EACCES", "the service does not know this access key"],
    [{ status: 403, code: "SignatureDoesNotMatch" }, "EACCES", "the secret key does not belong to the access key"],
    [{ status: 400, code: "ExpiredToken" }, "EACCES", "the session token has expired"],
    [{ status: 403, code: "RequestTimeTooSkewed" }, "EACCES", "this machine's clock and the service's are too far apart"],
    [{ status: 404, code: "NoSuchBucket" }, "ENOENT", "there is no bucket disks"],
    [
      { status: 301, code: "PermanentRedirect", headers: { "x-amz-bucket-region": "eu-west-3" } },
      "EINVAL",
      "the bucket disks is in the region eu-west-3, not us-east-1 (301 PermanentRedirect): set the region",
    ],
    [{ status: 400, code: "AuthorizationHeaderMalformed" }, "EINVAL", "the bucket disks is in another region, or at another endpoint"],
    [{ status: 507, code: "InsufficientStorage" }, "ENOSPC", "the service has no room left"],
    [{ status: 418, code: "Teapot", message: "short and stout" }, "EIO", "the service answered 418 Teapot: short and stout"],
  ] as [Refusal, string, string][])("%j", async (refusal, code, text) => {
    const store = await memoryS3();
    store.put("disk", content);
    await using disk = await openDisk(s3(at(store.endpoint)));
    store.refuse = () => refusal;
    const failure = await failureOf(() => disk.read(Buffer.alloc(200), 0n));
    expect(failure.message).toContain(`cannot read s3://disks/disk: ${text}`);
    expect(failure.code).toBe(code);
  });

  test.each([
    [{ status: 403, code: "" }, "EACCES", "cannot open s3://disks/disk: the credentials do not allow it (403"],
    [{ status: 301, code: "", headers: { "x-amz-bucket-region": "eu-west-3" } }, "EINVAL", "is in the region eu-west-3"],
  ] as [Refusal, string, string][])("to a HEAD, which has no text: %j", async (refusal, code, text) => {
    const store = await memoryS3();
    store.refuse = () => refusal;
    const failure = await failureOf(() => openDisk(s3(at(store.endpoint))));
    expect(failure.message).toContain(text);
    expect(failure.code).toBe(code);
  });

  test("because the object, or the bucket, is not there", async () => {
    const { endpoint } = await memoryS3();
    expect(await failureOf(() => openDisk(s3(at(endpoint))))).toEqual({
      code: "ENOENT",
      message: "cannot open s3://disks/disk: there is no such object",
    });
    expect(await failureOf(() => openDisk(s3(at(endpoint, { bucket: "none" }))))).toEqual({
      code: "ENOENT",
      message: "cannot open s3://none/disk: there is no bucket none",
    });
  });

  test("because of a clock that is wrong, is asked again with the service's time", async () => {
    const store = await memoryS3();
    store.put("disk", content);
    store.ahead = 3_600_000;
    store.refuse = ({ headers }) => {
      const signed = String(headers["x-amz-date"]).replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
      return Math.abs(Date.parse(signed) - Date.now() - store.ahead) > 900_000 ? { status: 403, code: "RequestTimeTooSkewed" } : undefined;
    };
    await using disk = await openDisk(s3(at(store.endpoint, { key: "disk", size: "1M", objectSize: "64k" })));
    await disk.read(Buffer.alloc(10), 0n);
  });

  test("because nobody is there", async () => {
    const failure = await failureOf(() => openDisk(s3(at("http://127.0.0.1:1", { maxAttempts: 2 }))));
    expect(failure).toEqual({ code: "ECONNREFUSED", message: expect.stringContaining("ECONNREFUSED 127.0.0.1:1 (tried 2 times)") });
  });

  test("because nobody has credentials for it", async () => {
    const { endpoint } = await memoryS3();
    const credentials = (): never => {
      throw Object.assign(new Error("the keyring is locked"), { name: "CredentialsProviderError" });
    };
    const { code, message } = await failureOf(() => openDisk(s3(at(endpoint, { credentials }))));
    expect(code).toBe("EACCES");
    expect(message).toContain("there are no credentials: give some, or set up those of AWS tools (the keyring is locked)");
  });
});
