// The keys of the command line: what they become, beside nbdkit, and which are refused.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { plugins } from "@diskwright/http/command";
import { openDisk, type Plugin } from "diskwright";
import { describe, expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { expectBothRefuse, expectSame, shown } from "../../../test/fixtures/side-by-side.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { environmentProxy } from "../src/command/environment-proxy.ts";
import { parseHeaders } from "../src/command/headers.ts";
import { withNginx } from "./fixtures/nginx.ts";
import { failure, read } from "./fixtures/opened.ts";
import { scripted } from "./fixtures/scripted.ts";

const content = sample(3_000_000);

describeWith(["nginx", "openssl", "nbdkit", "nbdcopy", "nbdinfo"], "beside nbdkit's curl", () => {
  const nginx = withNginx();
  const put = (name: string): string => {
    writeFileSync(join(nginx.root, name), content);
    return `/${name}`;
  };

  test.each<[string, () => readonly string[]]>([
    ["plain", () => [nginx.url("plain", put("plain"))]],
    ["url= and a redirect", () => [`url=${nginx.url("plain", "/moved/plain")}`]],
    ["TLS and its authority", () => [nginx.url("tls", put("tls")), `cainfo=${nginx.ca}`]],
    ["TLS that is not verified", () => [nginx.url("tls", put("tls")), "sslverify=false", "ssl-version=tlsv1.2"]],
    ["TLS and a folder of authorities", () => [nginx.url("tls", put("tls")), `capath=${hashed(nginx.ca)}`]],
    ["a unix socket", () => [`http://any.example${put("unix")}`, `unix-socket-path=${nginx.socket}`]],
    ["a user and password", () => [nginx.url("plain", "/basic/plain"), "user=user", "password=secret"]],
    ["headers", () => [nginx.url("plain", put("plain")), "header=X-One: 1", "header=X-Empty;", "header=Accept:", "user-agent=test"]],
    [
      "a script for headers",
      () => [
        nginx.url("plain", "/basic/plain"),
        "header-script=echo Authorization: Basic $(printf user:secret | base64)",
        "header-script-renew=5",
      ],
    ],
    ["the rest", () => [nginx.url("plain", put("plain")), "cookie=a=1; b=2", "timeout=30", "protocols=http,ftp", "tcp-keepalive=true"]],
  ])("%s", async (_, argv) => {
    const { content: found } = await expectSame(["curl", ...argv()]);
    expect(found.subarray(0, content.length).equals(content)).toBe(true);
  });

  test("http is the same", async () => {
    const { content: found } = await shown("diskwright", ["http", nginx.url("plain", put("plain"))]);
    expect(found.equals(content)).toBe(true);
  });

  test("what both refuse", async () => {
    const url = nginx.url("plain", put("plain"));
    for (const argv of [
      [nginx.url("tls", put("tls"))],
      [nginx.url("tls", put("tls")), "cainfo="],
      [nginx.url("noRanges", put("plain"))],
      [nginx.url("plain", "/nowhere")],
      [nginx.url("plain", "/moved/plain"), "followlocation=false"],
      [nginx.url("plain", "/basic/plain")],
      [url, "protocols=https"],
      [url, "protocols=,"],
      [url, "header=A: b", "header-script=true"],
      [url, "cookie=a=b", "cookie-script=true"],
      [url, "header-script-renew=5"],
      [url, "cookie-script-renew=5"],
      [url, "header-script=exit 1"],
      [url, "timeout=-1"],
      [],
    ])
      await expectBothRefuse(["curl", ...argv]);
  });
});

/** A folder as OpenSSL wants it: each certificate is found by the hash of its name. */
function hashed(ca: string): string {
  const folder = `${ca}.d`;
  mkdirSync(folder, { recursive: true });
  execFileSync("cp", [ca, join(folder, "ca.pem")]);
  execFileSync("openssl", ["rehash", folder]);
  return folder;
}

describe("keys", () => {
  const entry = plugins.find(({ name }) => name === "http");
  const create = async (options: object): Promise<Plugin> =>
    (await entry?.create({ url: ["http://127.0.0.1:1/x"], ...options }, { parameters: [], stdin: process.stdin })) as Plugin;

  test.each([
    [{ cookiefile: "" }, "cookies that servers set are not kept"],
    [{ cookiejar: "/tmp/jar" }, "cookies that servers set are not kept"],
    [{ "tcp-nodelay": false }, "always on"],
    [{ "tcp-keepalive": false }, "always on"],
    [{ "ssl-version": "sslv3" }, "SSL is broken"],
    [{ protocols: "ftp" }, "http and https"],
    [{ header: ["nonsense"] }, "expected 'Name: value'"],
    [{ header: ["Range: bytes=0-1"] }, "range is set by the plugin itself"],
    [{ url: ["ftp://host/x"] }, "http and https URLs"],
    [{ url: ["file:///x"] }, "use file()"],
    [{ proxy: "ftp://x" }, "expected http://host:port"],
    [{ cert: "/nowhere/cert" }, "/nowhere/cert"],
  ])("%j is refused", async (options, text) => {
    expect((await failure(create(options))).message).toContain(text);
  });

  test("scripts have $url and $iteration, and are run again when the server refuses", async () => {
    const server = await scripted(content, (request, response) => request.headers["x-n"] !== "1" && response.writeHead(401).end());
    const script = 'echo "X-N: $iteration"; echo "X-Url: $url"';
    const disk = await openDisk(await create({ url: [server.url], "header-script": script, "cookie-script": "echo a=$iteration; echo b" }));
    expect((await read(disk, 5, 5)).equals(content.subarray(5, 10))).toBe(true);
    expect(server.requests.at(-1)?.headers).toMatchObject({ "x-n": "1", "x-url": server.url, cookie: "a=1" });
    await disk.close();
  });

  test("headers as curl writes them", () => {
    expect(parseHeaders(["A: 1", "a:2", "B;", "C:", ""])).toEqual({ a: ["1", "2"], b: [""] });
  });

  test("the environment's proxy", () => {
    const env = {
      http_proxy: "http://a:1",
      HTTPS_PROXY: "http://b:2",
      HTTP_PROXY: "http://evil",
      no_proxy: "localhost, .internal,10.0.0.1",
    };
    expect(environmentProxy("http://x.org/", env)).toBe("http://a:1");
    expect(environmentProxy("https://x.org/", env)).toBe("http://b:2");
    expect(environmentProxy("https://y.internal/", env)).toBeUndefined();
    expect(environmentProxy("http://10.0.0.1/", env)).toBeUndefined();
    expect(environmentProxy("http://x.org/", { HTTP_PROXY: "http://evil" })).toBeUndefined();
    expect(environmentProxy("http://x.org/", { ALL_PROXY: "socks5://s:1", no_proxy: "*" })).toBeUndefined();
  });
});
