// The packages that decompress, as they are built, on any version of Node: also where zstd-napi is not there, and Node's own zstd has to do.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as zlib from "node:zlib";
import { xz } from "@diskwright/xz";
import { openDisk, pipe } from "diskwright";
import { ram } from "diskwright/testing";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "diskwright-smoke-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("an xz file is decompressed in threads", async () => {
  // printf 'hello, world\n' | xz | base64
  const file = "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAMaGVsbG8sIHdvcmxkCgAAAAB7RlqByRK46gABJQ1xGcS2H7bzfQEAAAAABFla";
  const disk = await openDisk(pipe(ram(Buffer.from(file, "base64")), xz()));
  const target = Buffer.alloc(13);
  await disk.read(target, 0n);
  assert.equal(target.toString(), "hello, world\n");
  await disk.close();
});

test("zstd does with what there is, or says what to install", () => {
  const packages = join(folder, "node_modules");
  mkdirSync(join(packages, "@diskwright/zstd"), { recursive: true });
  symlinkSync(root, join(packages, "diskwright"));
  symlinkSync(join(root, "node_modules/lru-cache"), join(packages, "lru-cache"));
  for (const part of ["dist", "package.json"])
    cpSync(join(root, "plugins/zstd", part), join(packages, "@diskwright/zstd", part), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(folder, "example.js"),
    `import { memory, openDisk, pipe } from "diskwright";
     import { ram } from "diskwright/testing";
     import { unzstd, zstd } from "@diskwright/zstd";
     try {
       const disk = await openDisk(memory("1G", { allocator: zstd() }));
       await disk.write(Buffer.alloc(100000, "text "), 12345n);
       const target = Buffer.alloc(5);
       await disk.read(target, 12345n + 99995n);
       console.log(target.toString());
       await disk.close();
       // printf 'hello, world\\n' | zstd | base64
       const file = await openDisk(pipe(ram(Buffer.from("KLUv/QRYaQAAaGVsbG8sIHdvcmxkCkwf+fE=", "base64")), unzstd()));
       const hello = Buffer.alloc(13);
       await file.read(hello, 0n);
       console.log(hello.toString());
     } catch (error) {
       console.log(error.message);
     }`,
  );
  const printed = execFileSync(process.execPath, ["example.js"], { cwd: folder, encoding: "utf8" });
  assert.match(printed, zlib.zstdCompressSync === undefined ? /npm i zstd-napi/ : /^text \nhello, world\n/);
});
