// A real web server: what is read, and what is asked for it.

import { readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { http } from "@diskwright/http";
import { openDisk } from "diskwright";
import { testPlugin } from "diskwright/testing";
import { describe, expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { withNginx } from "./fixtures/nginx.ts";
import { failure, open, read, readAll } from "./fixtures/opened.ts";

const MIB = 2 ** 20;

describeWith(["nginx", "openssl"], "beside nginx", () => {
  const nginx = withNginx();
  const content = sample(5 * MIB + 777);
  const put = (name: string, bytes: Uint8Array = content): string => {
    writeFileSync(join(nginx.root, name), bytes);
    return `/${name}`;
  };
  const asked = (name: string): string[] => nginx.requests().filter((line) => line.split(" ")[1] === `/${name}`);

  test("a file is read anywhere, in any size", async () => {
    const disk = await open(nginx.url("plain", put("any")));
    expect(disk.size).toBe(BigInt(content.length));
    expect(disk.capabilities).toMatchObject({ write: false, multiConn: true, cache: "none", extents: false });
    for (const [at, length] of [
      [0, 1],
      [content.length - 1, 1],
      [12345, 70_001],
      [0, content.length],
      [3, 3 * MIB],
    ] as const) {
      expect((await read(disk, at, length)).equals(content.subarray(at, at + length))).toBe(true);
    }
  });

  test("a host by its name", async () => {
    const disk = await open(nginx.url("plain", put("named")).replace("127.0.0.1", "localhost"), { connectTimeout: 0 });
    expect((await read(disk, 0, 3 * MIB)).equals(content.subarray(0, 3 * MIB))).toBe(true);
  });

  test("many reads at once", async () => {
    const disk = await open(nginx.url("plain", put("many")), { connections: 4 });
    const places = Array.from({ length: 200 }, (_, index) => (index * 104_729) % (content.length - 5000));
    const found = await Promise.all(places.map((at) => read(disk, at, 4096)));
    for (const [index, at] of places.entries()) expect(found[index]?.equals(content.subarray(at, at + 4096))).toBe(true);
  });

  test("small reads from front to back cost few requests", async () => {
    const disk = await open(nginx.url("plain", put("sequential")));
    expect((await readAll(disk, 4096)).equals(content)).toBe(true);
    // The log is written when an answer has been sent, so what is counted may lack the last ones.
    expect(asked("sequential").length).toBeLessThan(40);
  });

  test("without reading ahead each read is a request", async () => {
    const disk = await open(nginx.url("plain", put("unread", content.subarray(0, 40 * 1024))), { readAhead: 0 });
    expect((await readAll(disk, 1024)).equals(content.subarray(0, 40 * 1024))).toBe(true);
    await disk.close();
    await expect.poll(() => asked("unread").length).toBe(41);
  });

  test("an empty file is an empty disk", async () => {
    const disk = await open(nginx.url("plain", put("empty", new Uint8Array(0))));
    expect(disk.size).toBe(0n);
  });

  test("a file that is not there", async () => {
    const error = await failure(open(nginx.url("plain", "/nowhere")));
    expect(error.code).toBe("ENOENT");
    expect(error.message).toContain("/nowhere: the server answered 404: there is no such file");
  });

  test("a server without ranges is refused, with what to do", async () => {
    const error = await failure(open(nginx.url("noRanges", put("whole"))));
    expect(error.code).toBe("ENOTSUP");
    expect(error.message).toContain("does not send ranges");
    expect(error.message).toContain("download it");
  });

  test("a file that changes is an error from then on, whatever was read ahead", async () => {
    const path = put("changing");
    const disk = await open(nginx.url("plain", path));
    await read(disk, 0, 4096);
    put("changing", sample(content.length, 2));
    utimesSync(join(nginx.root, "changing"), 1, 1);
    const error = await failure(read(disk, MIB, 4096));
    expect(error.code).toBe("EIO");
    expect(error.message).toContain("the file on the server is not the one that was opened");
    const again = await open(nginx.url("plain", path));
    expect((await read(again, 0, 64)).equals(content.subarray(0, 64))).toBe(false);
  });

  test("a file that has become shorter is an error", async () => {
    const disk = await open(nginx.url("plain", put("shrinking")), { validate: false });
    put("shrinking", content.subarray(0, MIB));
    expect((await failure(read(disk, 2 * MIB, 512))).message).toContain("416");
    expect((await failure(read(disk, 0, 512))).message).toContain(`it had ${content.length} bytes, and has ${MIB}`);
  });

  test("a user and password, also in the URL, and wrong ones", async () => {
    put("secret");
    const url = nginx.url("plain", "/basic/secret");
    expect((await open(url, { user: "user", password: () => Buffer.from("secret") })).size).toBe(BigInt(content.length));
    expect((await open(url.replace("//", "//user:secret@"))).size).toBe(BigInt(content.length));
    for (const options of [{}, { user: "user", password: "wrong" }]) {
      const error = await failure(open(url, options));
      expect(error.code).toBe("EACCES");
      expect(error.message).toContain("401");
      expect(error.message).not.toContain("wrong");
    }
  });

  test("a redirect is followed once, for all reads", async () => {
    put("redirected");
    const disk = await open(nginx.url("plain", "/moved/redirected"));
    await read(disk, 0, 100);
    await read(disk, MIB, 100);
    await disk.close();
    expect(nginx.requests().filter((line) => line.includes("/moved/redirected"))).toHaveLength(1);
    expect((await failure(open(nginx.url("plain", "/moved/redirected"), { redirects: 0 }))).message).toContain(
      "redirects are not followed",
    );
  });

  test("a unix socket", async () => {
    const path = put("unix");
    const disk = await open(`http://any.example${path}`, { unixSocket: nginx.socket });
    expect((await read(disk, 7, 512)).equals(content.subarray(7, 519))).toBe(true);
  });

  test("a restart of the server is survived", async () => {
    const disk = await open(nginx.url("plain", put("restarted")), { retries: 20, retryDelay: "10ms" });
    await read(disk, 0, 512);
    await nginx.stop();
    const reading = read(disk, MIB, 2 * MIB);
    await nginx.start();
    expect((await reading).equals(content.subarray(MIB, 3 * MIB))).toBe(true);
  });

  test("a server that limits rates is tried again until it answers", async () => {
    put("limited-file");
    const url = nginx.url("throttled", "/limited/limited-file");
    const patient = await open(url, { retries: 50, retryDelay: "20ms", retryMaxDelay: "100ms", readAhead: 0 });
    const places = Array.from({ length: 24 }, (_, index) => index * 100_000);
    const found = await Promise.all(places.map((at) => read(patient, at, 60_000)));
    for (const [index, at] of places.entries()) expect(found[index]?.equals(content.subarray(at, at + 60_000))).toBe(true);
    expect(asked("limited/limited-file").some((line) => / (429|503)$/.test(line))).toBe(true);
  });

  describe("with TLS", () => {
    test("whose authority is given", async () => {
      const disk = await open(nginx.url("tls", put("tls")), { tls: { ca: readFileSync(nginx.ca) } });
      expect((await read(disk, 0, content.length)).equals(content)).toBe(true);
    });

    test("whose authority is unknown is refused, unless nothing is verified", async () => {
      const url = nginx.url("tls", put("unknown"));
      const error = await failure(open(url, { retries: 5 }));
      expect(error.message).toContain("certificate is not trusted");
      expect((await open(url, { tls: { verify: false } })).size).toBe(BigInt(content.length));
    });

    test("and a client's certificate", async () => {
      const url = nginx.url("clientCert", put("client"));
      const ca = readFileSync(nginx.ca);
      const disk = await open(url, { tls: { ca, cert: readFileSync(nginx.cert), key: readFileSync(nginx.key) } });
      expect((await read(disk, 5, 5)).equals(content.subarray(5, 10))).toBe(true);
      expect((await failure(open(url, { tls: { ca } }))).message).toContain("answered 400");
    });

    test("and HTTP/2", async () => {
      const disk = await open(nginx.url("h2", put("h2")), { tls: { ca: readFileSync(nginx.ca) }, http2: true, readAhead: 0 });
      expect((await read(disk, 0, content.length)).equals(content)).toBe(true);
      const places = Array.from({ length: 50 }, (_, index) => index * 100_000);
      const found = await Promise.all(places.map((at) => read(disk, at, 30_000)));
      for (const [index, at] of places.entries()) expect(found[index]?.equals(content.subarray(at, at + 30_000))).toBe(true);
      put("h2", content.subarray(0, 10));
      expect((await failure(read(disk, 0, 100))).code).toBe("EIO");
    });
  });

  describe("mirrors", () => {
    test("the next one is used when one fails, at the start and later", async () => {
      put("mirrored");
      const urls = [nginx.url("plain", "/gone"), nginx.url("plain", "/mirrored"), "http://127.0.0.1:1/mirrored"];
      const disk = await open(urls);
      expect((await read(disk, 9, 9)).equals(content.subarray(9, 18))).toBe(true);
      const error = await failure(open([urls[0] as string, urls[2] as string]));
      expect(error.message).toContain("answered 404");
      expect(error.message).toContain("nothing listens there");
    });

    test("one of another size is no mirror", async () => {
      put("first");
      put("second", content.subarray(1));
      const down = new AbortController();
      const disk = await openDisk(http([nginx.url("plain", "/first"), nginx.url("plain", "/second")], { retries: 0 }), {
        signal: down.signal,
      });
      // The first one goes away.
      rmSync(join(nginx.root, "first"));
      const error = await failure(read(disk, 0, 512));
      expect(error.message).toContain("it is no mirror");
      await disk.close();
    });
  });

  describe("the conformance suite", () => {
    const bytes = content.subarray(0, 300_000);
    testPlugin({
      test,
      factory: () => http(nginx.url("plain", put("conformance", bytes))),
      content: bytes,
      expect: { write: false, multiConn: true, extents: false, cache: "none" },
    });
  });
});
