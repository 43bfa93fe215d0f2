// Servers that break, lie, stall or change their minds: what a client is told, and that it never reads wrong bytes.

import { http } from "@diskwright/http";
import { openDisk } from "diskwright";
import { fakeClock } from "diskwright/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { failure, open, read, readAll } from "./fixtures/opened.ts";
import { answer, rangeOf, type Script, scripted } from "./fixtures/scripted.ts";

const content = sample(300_000);
const soon = { retryDelay: "1ms", retryMaxDelay: "2ms" } as const;

/** Reads 4 KiB at 100,000 from a server that behaves until the disk is open. */
async function readFrom(script: Script, options: Parameters<typeof open>[1] = {}): Promise<Buffer> {
  const server = await scripted(content);
  const disk = await open(server.url, options);
  server.script = script;
  return read(disk, 100_000, 4096);
}

describe("answers that are wrong are errors", () => {
  const wrong: readonly [string, Script, string][] = [
    ["the whole file", (_, response) => response.writeHead(200, { etag: '"one"' }).end(content), "the whole file (200)"],
    [
      "another range",
      (request, response) => answer(content, request, response, { "content-range": "bytes 0-4095/300000" }),
      "the bytes 0 to 4095 where 100000 to 104095 were asked for",
    ],
    ["no range", (request, response) => answer(content, request, response, { "content-range": "" }), "without a Content-Range"],
    [
      "several ranges",
      (_, response) => response.writeHead(206, { etag: '"one"', "content-type": "multipart/byteranges; boundary=x" }).end("--x"),
      "without a Content-Range",
    ],
    [
      "another length",
      (request, response) => {
        response.writeHead(206, { etag: '"one"', "content-range": `bytes 100000-104095/300000`, "content-length": "10" });
        response.end(request.url?.padEnd(10).slice(0, 10));
      },
      "the server sends 10 bytes where 4096 were asked for",
    ],
    [
      "more than was asked for",
      (_, response) => {
        response.writeHead(206, { etag: '"one"', "content-range": "bytes 100000-104095/300000" });
        response.end(Buffer.alloc(5000));
      },
      "the server sent more than the 4096 bytes",
    ],
    [
      "another size",
      (request, response) => answer(content, request, response, { "content-range": "bytes 100000-104095/300001" }),
      "has 300001",
    ],
    ["another ETag", (request, response) => answer(content, request, response, { etag: '"two"' }), 'its ETag was "one", and is "two"'],
    ["412", (_, response) => response.writeHead(412).end("changed"), "not the one that was opened"],
    ["416", (_, response) => response.writeHead(416).end(), "not the one that was opened"],
    ["a refusal", (_, response) => response.writeHead(403).end("no"), "does not allow this file to be read"],
    ["a status of its own", (_, response) => response.writeHead(418).end("tea"), "the server answered 418"],
  ];
  test.each(wrong)("%s", async (_, script, text) => {
    let asked = 0;
    const counted: Script = (...args) => {
      asked += 1;
      return script(...args);
    };
    const error = await failure(readFrom(counted, { ...soon, retries: 3 }));
    expect(error.message).toContain(text);
    // None of this passes by itself.
    expect(asked).toBe(1);
  });

  test("what is not HTTP", async () => {
    const error = await failure(readFrom((request) => request.socket.end("hello\r\n\r\n"), soon));
    expect(error.message).toContain("what the server sent is not HTTP");
  });
});

describe("what may pass is tried again", () => {
  const passing: readonly [string, Script][] = [
    ["500", (_, response) => response.writeHead(500).end("oops")],
    ["503", (_, response) => response.writeHead(503, { "content-length": "4" }).end("busy")],
    ["429", (_, response) => response.writeHead(429).end("x".repeat(200_000))],
    ["a connection that breaks before the answer", (request) => request.socket.destroy()],
    [
      "a body that is cut short",
      (request, response) => {
        const [start, end] = rangeOf(request) as [number, number];
        response.writeHead(206, { etag: '"one"', "content-range": `bytes ${start}-${end - 1}/300000`, "content-length": end - start });
        response.write(content.subarray(start, start + 1000), () => response.socket?.destroy());
      },
    ],
    [
      "a body without a length that ends early",
      (request, response) => {
        const [start, end] = rangeOf(request) as [number, number];
        response.writeHead(206, { etag: '"one"', "content-range": `bytes ${start}-${end - 1}/300000` });
        response.end(content.subarray(start, start + 1000));
      },
    ],
  ];
  test.each(passing)("%s", async (_, script) => {
    const once: Script = (request, response, count) => (count === 1 ? script(request, response, count) : false);
    expect((await readFrom(once, { ...soon, retries: 1 })).equals(content.subarray(100_000, 104_096))).toBe(true);
    const error = await failure(readFrom(script, { ...soon, retries: 2 }));
    expect(error.code).toBe("EIO");
    expect(error.message).toContain("(tried 3 times)");
  });

  test("what has arrived of a body that is cut is not asked for again", async () => {
    const server = await scripted(content);
    const disk = await open(server.url, { ...soon, retries: 1 });
    server.script = (request, response, count) => {
      if (count > 1) return false;
      response.writeHead(206, { etag: '"one"', "content-range": "bytes 100000-104095/300000", "content-length": "4096" });
      response.write(content.subarray(100_000, 101_000), () => response.socket?.end());
      return request;
    };
    expect((await read(disk, 100_000, 4096)).equals(content.subarray(100_000, 104_096))).toBe(true);
    expect(server.requests.at(-1)?.headers.range).toBe("bytes=101000-104095");
  });

  test("also while the disk is being opened", async () => {
    const server = await scripted(content, (_, response, count) => (count <= 2 ? response.writeHead(503).end() : false));
    expect((await open(server.url, { ...soon, retries: 2 })).size).toBe(300_000n);
  });

  test("after waits that double, and those that the server asks for", async () => {
    const slept: number[] = [];
    const clock = { now: () => 0, sleep: async (milliseconds: number) => void slept.push(milliseconds) };
    const server = await scripted(content);
    const disk = await open(server.url, { retries: 4, retryDelay: 1, retryMaxDelay: 3, clock });
    const headers = [{}, {}, {}, { "retry-after": "2" }] as const;
    server.script = (_, response, count) => (count <= 4 ? response.writeHead(503, headers[count - 1]).end() : false);
    await read(disk, 0, 512);
    expect(slept).toEqual([1000, 2000, 3000, 3000]);
    server.script = (_, response, count) => (count <= 1 ? response.writeHead(429, { "retry-after": "2" }).end() : false);
    await read(disk, 0, 512);
    expect(slept.at(-1)).toBe(2000);
    server.script = (_, response) => response.writeHead(429, { "retry-after": "4" }).end();
    const error = await failure(read(disk, 0, 512));
    expect(error.message).toContain("it asks to wait for 4 seconds, which is longer than retryMaxDelay (3)");
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    server.script = (_, response) => response.writeHead(503, { "retry-after": date }).end();
    expect((await failure(read(disk, 0, 512))).message).toMatch(/it asks to wait for 3\d\d\d seconds/);
  });
});

describe("time-outs", () => {
  const stalled: Script = () => undefined;
  const paused: Script = (_, response) => {
    response.writeHead(206, { etag: '"one"', "content-range": "bytes 100000-104095/300000", "content-length": "4096" });
    response.write("some");
  };
  test.each([
    ["an answer that does not begin", stalled, { headersTimeout: "50ms" }, "headersTimeout"],
    ["an answer that stops", paused, { bodyTimeout: "50ms" }, "bodyTimeout"],
    ["a request that takes too long", paused, { requestTimeout: "50ms" }, "requestTimeout"],
  ] as const)("%s", async (_, script, options, text) => {
    const error = await failure(readFrom(script, options));
    expect(error.code).toBe("ETIMEDOUT");
    expect(error.message).toContain(text);
  });
});

describe("the client's end", () => {
  test("ends what it waits for: an answer, a retry, opening", async () => {
    const server = await scripted(content);
    for (const [script, options] of [
      [() => undefined, {}],
      [(_, response) => response.writeHead(503).end(), { retries: 1, retryDelay: 1000 }],
    ] as [Script, object][]) {
      const gone = new AbortController();
      server.script = () => false;
      const disk = await open(server.url, { headersTimeout: 0, retryMaxDelay: 2000, ...options }, gone.signal);
      const asked = new Promise<void>((resolve) => {
        server.script = (request, response, count) => {
          setTimeout(resolve, 5);
          return script(request, response, count);
        };
      });
      const reading = failure(read(disk, 0, 512));
      await asked;
      gone.abort(new Error("the client has gone"));
      expect((await reading).message).toBe("the client has gone");
    }
    const gone = new AbortController();
    server.script = () => setTimeout(() => gone.abort(new Error("gone too")), 5);
    expect((await failure(openDisk(http(server.url), { signal: gone.signal }))).message).toBe("gone too");
  });

  test("a plugin that is closed and used again works", async () => {
    const server = await scripted(content);
    const plugin = http(server.url);
    for (let use = 0; use < 2; use += 1) {
      const disk = await openDisk(plugin);
      expect((await read(disk, 5, 5)).equals(content.subarray(5, 10))).toBe(true);
      await disk.close();
    }
  });
});

test("nothing is changed for the rest of the process, as its fetch()", async () => {
  await open((await scripted(content)).url);
  expect(Reflect.get(globalThis, Symbol.for("undici.globalDispatcher.1"))).toBeUndefined();
});

describe("finding the file", () => {
  test("a server without HEAD is asked for the first byte", async () => {
    const server = await scripted(content, (request, response) => request.method === "HEAD" && response.writeHead(405).end());
    expect((await open(server.url)).size).toBe(300_000n);
    expect(server.requests.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
  });

  test("so is one that says nothing of ranges, or of the size", async () => {
    for (const headers of [{ "content-length": "300000" }, { "accept-ranges": "bytes" }]) {
      const server = await scripted(content, (request, response) => request.method === "HEAD" && response.writeHead(200, headers).end());
      expect((await open(server.url)).size).toBe(300_000n);
    }
  });

  test("one that does not say how large the file is", async () => {
    const server = await scripted(content, (request, response) =>
      answer(content, request, response, { "accept-ranges": "none", ...(request.method === "GET" && { "content-range": "bytes 0-0/*" }) }),
    );
    expect((await failure(open(server.url))).message).toContain("does not say how large the file is");
  });

  test("redirects that never end, lead nowhere, or to what may not be used", async () => {
    const to =
      (location?: string): Script =>
      (_, response) =>
        response.writeHead(302, location === undefined ? {} : { location }).end();
    const refused = async (script: Script, options = {}) => failure(open((await scripted(content, script)).url, options));
    const loop = await refused(to("/again"));
    expect(loop.code).toBe("ELOOP");
    expect(loop.message).toContain("more than 10 redirects");
    expect((await refused(to())).message).toContain("does not say where to");
    expect((await refused(to("http://["))).message).toContain("which is no URL");
    expect((await refused(to("ftp://x/y"))).message).toContain("ftp://…, which the option protocols does not allow");
    expect((await refused(to("https://x/y"), { protocols: ["http"] })).message).toContain("does not allow (http)");
  });

  test("what a redirect led to is found anew when it has expired, and must be the same file", async () => {
    let signature = 1;
    const server = await scripted(content, (request, response) => {
      if (request.url === "/file") return response.writeHead(302, { location: `/signed?${signature}` }).end();
      return request.url !== `/signed?${signature}` && response.writeHead(403).end();
    });
    const disk = await open(server.url, { readAhead: 0 });
    for (; signature < 4; signature += 1) {
      const found = await Promise.all([0, 50_000, 100_000].map((at) => read(disk, at, 4096)));
      expect(found[2]?.equals(content.subarray(100_000, 104_096))).toBe(true);
    }
    expect(server.requests.filter(({ url }) => url === "/file")).toHaveLength(3);
    const before = server.script;
    server.script = (request, response, count) => {
      if (before(request, response, count) === false) answer(content, request, response, { etag: '"two"' });
    };
    signature += 1;
    expect((await failure(read(disk, 0, 512))).message).toContain("not the one that was opened");
  });

  test("a file that has become a redirect is followed", async () => {
    const far = await scripted(content);
    const near = await scripted(content);
    const disk = await open(near.url);
    near.script = (_, response) => response.writeHead(301, { location: far.url }).end();
    expect((await read(disk, 5, 5)).equals(content.subarray(5, 10))).toBe(true);
    far.script = near.script;
    expect((await failure(read(disk, 5, 5))).message).toContain("redirects");
  });

  test("credentials are not sent to another server", async () => {
    const far = await scripted(content);
    const near = await scripted(content, (_, response) => response.writeHead(307, { location: far.url }).end());
    const disk = await open(near.url, { user: "me", password: "secret", headers: { "x-token": "1" }, cookies: "a=1", userAgent: "disk" });
    await read(disk, 0, 512);
    expect(near.requests[0]?.headers).toMatchObject({ authorization: `Basic ${btoa("me:secret")}`, "x-token": "1", cookie: "a=1" });
    for (const { headers } of far.requests) {
      expect(headers).toMatchObject({ "user-agent": "disk", "accept-encoding": "identity" });
      for (const name of ["authorization", "x-token", "cookie"]) expect(headers).not.toHaveProperty(name);
    }
  });
});

describe("versions", () => {
  test("are asked for by If-Match, or by If-Unmodified-Since where there is no ETag", async () => {
    const server = await scripted(content);
    await read(await open(server.url), 0, 512);
    expect(server.requests.at(-1)?.headers["if-match"]).toBe('"one"');
    const date = "Sat, 01 Jan 2000 00:00:00 GMT";
    server.script = (request, response) => {
      const range = rangeOf(request) ?? [0, content.length];
      response.writeHead(range === undefined ? 200 : 206, {
        "last-modified": date,
        "content-range": `bytes ${range[0]}-${range[1] - 1}/300000`,
      });
      response.end(content.subarray(...range));
    };
    const disk = await open(server.url);
    await read(disk, 0, 512);
    expect(server.requests.at(-1)?.headers["if-unmodified-since"]).toBe(date);
    server.script = () => false;
    expect((await failure(read(disk, 0, 512))).message).toContain(`last modified ${date}`);
  });

  test("a weak ETag is compared, and not sent", async () => {
    const server = await scripted(content, (request, response) => answer(content, request, response, { etag: 'W/"weak"' }));
    const disk = await open(server.url);
    await read(disk, 0, 512);
    expect(server.requests.at(-1)?.headers).not.toHaveProperty("if-match");
    server.script = () => false;
    expect((await failure(read(disk, 0, 512))).message).toContain("not the one that was opened");
  });

  test("are not looked at when the app says so", async () => {
    let count = 0;
    const server = await scripted(content, (request, response) => {
      count += 1;
      answer(content, request, response, { etag: `"${count}"` });
    });
    expect((await failure(open(server.url).then((disk) => read(disk, 0, 512)))).code).toBe("EIO");
    const disk = await open(server.url, { validate: false });
    expect((await readAll(disk, 10_000)).equals(content)).toBe(true);
    expect(server.requests.at(-1)?.headers).not.toHaveProperty("if-match");
  });

  test("a change ends what was read ahead for a client as well", async () => {
    const server = await scripted(content);
    const disk = await open(server.url, { readAhead: 64 * 1024 });
    for (let at = 0; at < 32_768; at += 1024) await read(disk, at, 1024);
    server.script = (request, response) => answer(Buffer.alloc(content.length, "x"), request, response, { etag: '"two"' });
    const pieces: Buffer[] = [];
    const error = await failure(
      (async () => {
        for (let at = 32_768; at < content.length; at += 1024) pieces.push(await read(disk, at, 1024));
      })(),
    );
    expect(error.code).toBe("EIO");
    const found = Buffer.concat(pieces);
    expect(found.equals(content.subarray(32_768, 32_768 + found.length))).toBe(true);
  });
});

describe("headers and cookies made by callbacks", () => {
  test("are made once, again when they are old, and again when they are refused", async () => {
    const clock = fakeClock();
    const iterations: number[] = [];
    const server = await scripted(content);
    const disk = await open(server.url, {
      headers: ({ iteration, url }) => {
        iterations.push(iteration);
        expect(url).toBe(server.url);
        return { "x-token": `token ${iteration}` };
      },
      cookies: async ({ iteration }) => `session=${iteration}`,
      renewAfter: 50,
      readAhead: 0,
      clock,
    });
    await Promise.all([read(disk, 0, 512), read(disk, 0, 512)]);
    expect(iterations).toEqual([0]);
    await clock.advance(51_000);
    await Promise.all([read(disk, 0, 512), read(disk, 0, 512)]);
    expect(server.requests.at(-1)?.headers).toMatchObject({ "x-token": "token 1", cookie: "session=1" });
    server.script = (request, response) => request.headers["x-token"] !== "token 2" && response.writeHead(401).end();
    await Promise.all([read(disk, 0, 512), read(disk, 4096, 512)]);
    expect(iterations).toEqual([0, 1, 2]);
    server.script = (_, response) => response.writeHead(401).end();
    expect((await failure(read(disk, 0, 512))).code).toBe("EACCES");
  });

  test("what they throw reaches the client's app, and what they answer is checked", async () => {
    const server = await scripted(content);
    const broken = failure(open(server.url, { headers: () => Promise.reject(new Error("no token today")) }));
    expect((await broken).message).toBe("no token today");
    const split = failure(open(server.url, { headers: () => ({ "x-token": "a\r\nb: c" }) }));
    expect((await split).message).toContain("the value of x-token is not text on one line");
  });

  test("a token is a function's answer, asked again when it is refused", async () => {
    let token = 0;
    const server = await scripted(
      content,
      (request, response) => request.headers.authorization !== "Bearer 2" && response.writeHead(401).end(),
    );
    const disk = await openDisk(http(server.url, { bearer: () => String(++token), retries: 0 }));
    onTestFinished(() => disk.close());
    expect(disk.size).toBe(300_000n);
    expect(token).toBe(2);
  });
});
