// The package as it is built, on any version of Node: what has to work before anything else is worth testing. It needs nothing but Node.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { connect, DiskError, filter, memory, openDisk, parseSize, pipe, serve } from "diskwright";
import * as testing from "diskwright/testing";

const cli = join(import.meta.dirname, "../../dist/cli.js");

test("require() gives the very same module as import", () => {
  const required = createRequire(import.meta.url)("diskwright");
  assert.equal(required.DiskError, DiskError);
  assert.equal(required.serve, serve);
});

test("the conformance kit is there", () => {
  assert.equal(typeof testing.testPlugin, "function");
  assert.equal(typeof testing.testFilter, "function");
});

test("a disk in process: write, read, trim, extents, errors", async () => {
  const disk = await openDisk(memory("1M"));
  await disk.write(Buffer.from("hello"), 4096n);
  const target = Buffer.alloc(5);
  await disk.read(target, 4096n);
  assert.equal(target.toString(), "hello");
  await disk.zero(0n, parseSize("1M"));
  await disk.read(target, 4096n);
  assert.deepEqual(target, Buffer.alloc(5));
  assert.equal((await disk.extents(0n, disk.size))[0].offset, 0n);
  await assert.rejects(async () => disk.read(target, disk.size), { code: "EINVAL" });
  await disk.close();
});

for (const [name, options] of [
  ["a unix socket", {}],
  ["TCP", { port: 0 }],
]) {
  test(`a server and a client over ${name}`, async () => {
    const seen = [];
    const log = filter("log", (disk) => ({
      write(source, offset, flags) {
        seen.push(source.length);
        return disk.write(source, offset, flags);
      },
    }));
    const server = await serve(pipe(memory("16M"), log), options);
    const disk = await connect(server.uri);
    const bytes = randomBytes(2 ** 20);
    await Promise.all([disk.write(bytes, 512n), disk.write(bytes.subarray(0, 1000), 8n * 2n ** 20n + 1n)]);
    await disk.flush();
    const target = Buffer.alloc(bytes.length);
    await disk.read(target, 512n);
    assert.deepEqual(target, bytes);
    assert.deepEqual(seen.sort(), [1000, 2 ** 20]);
    await assert.rejects(async () => disk.write(bytes, disk.size), { code: "ENOSPC" });
    await disk.close();
    await server.close();
  });
}

test("the command serves a disk and runs a program on it", () => {
  const output = execFileSync(process.execPath, [cli, "serve", "memory", "1M", "--run", 'echo "$uri"'], { encoding: "utf8" });
  assert.match(output, /^nbd(\+unix)?:\/\/.*\n$/);
});
