// Proxies: asked themselves for http, a tunnel for https.

import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { withNginx } from "./fixtures/nginx.ts";
import { failure, open, read } from "./fixtures/opened.ts";

const content = sample(200_000);

/** A proxy that wants a password, and the requests that it has passed on. */
async function proxy(): Promise<{ readonly host: string; readonly passed: string[] }> {
  const passed: string[] = [];
  const wanted = `Basic ${btoa("me:secret")}`;
  const server = createServer((request, response) => {
    if (request.headers["proxy-authorization"] !== wanted) return response.writeHead(407).end();
    passed.push(`${request.method} ${request.url}`);
    const { "proxy-authorization": _, ...headers } = request.headers;
    const onwards = httpRequest(request.url as string, { method: request.method as string, headers }, (answer) => {
      response.writeHead(answer.statusCode as number, answer.headers);
      answer.pipe(response);
    });
    return onwards.end();
  });
  server.on("connect", (request, socket) => {
    if (request.headers["proxy-authorization"] !== wanted) return socket.end("HTTP/1.1 407 No\r\n\r\n");
    passed.push(`CONNECT ${request.url}`);
    const [host, port] = (request.url as string).split(":") as [string, string];
    const onwards = connect(Number(port), host, () => socket.write("HTTP/1.1 200 Yes\r\n\r\n"));
    onwards.on("error", () => socket.destroy()).pipe(socket);
    return socket.on("error", () => onwards.destroy()).pipe(onwards);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, passed };
}

describeWith(["nginx", "openssl"], "through a proxy", () => {
  const nginx = withNginx();
  const me = { user: "me", password: "secret" } as const;

  test("http is asked of the proxy itself, https goes through a tunnel", async () => {
    writeFileSync(join(nginx.root, "file"), content);
    const { host, passed } = await proxy();
    const plain = await open(nginx.url("plain", "/file"), { proxy: { url: host, ...me } });
    expect((await read(plain, 100, 5000)).equals(content.subarray(100, 5100))).toBe(true);
    expect(passed).toEqual([`HEAD ${nginx.url("plain", "/file")}`, `GET ${nginx.url("plain", "/file")}`]);
    const secure = await open(nginx.url("tls", "/file"), { proxy: `http://me:secret@${host}`, tls: { ca: readFileSync(nginx.ca) } });
    expect((await read(secure, 100, 5000)).equals(content.subarray(100, 5100))).toBe(true);
    expect([...new Set(passed.slice(2))]).toEqual([`CONNECT ${new URL(nginx.url("tls", "/")).host}`]);
  });

  test("one that refuses us", async () => {
    const { host } = await proxy();
    const plain = await failure(open(nginx.url("plain", "/file"), { proxy: host }));
    expect(plain.message).toMatch(/407/);
    const secure = await failure(open(nginx.url("tls", "/file"), { proxy: host }));
    expect(secure.message).toMatch(/407/);
  });
});
