// `npm run demo`: a file system goes through a disk and back. Composes a disk, serves it, copies a real file system image onto it and off
// it with our own client and with others where they are installed, compares checksums, and prints a table of what it did.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { connect, filter, memory, pipe, serve } from "diskwright";
import { diskToFile, fileToDisk } from "./copy.mjs";
import { makeImage } from "./image.mjs";
import { find, run } from "./programs.mjs";
import { table } from "./table.mjs";

const SIZE = 64 * 1024 * 1024;
const sources = join(import.meta.dirname, "../../src");
const folder = await mkdtemp(join(tmpdir(), "diskwright-demo-"));
const image = join(folder, "image");
const rows = [];

try {
  const { kind, checker } = await makeImage(image, sources, SIZE);
  const expected = await sha256(image);
  rows.push(["make an image", `${kind}, ${SIZE / 2 ** 20} MiB, the files of src/`, "", expected.slice(0, 16)]);

  // A disk is a source and the filters over it: here memory, and a filter that counts what clients write.
  let written = 0;
  const count = filter("count", (disk) => ({
    write(source, offset, flags) {
      written += source.length;
      return disk.write(source, offset, flags);
    },
  }));
  const server = await serve({ "": pipe(memory(SIZE), count), nbdcopy: memory(SIZE), "qemu-img": memory(SIZE) });
  rows.push(["serve", "pipe(memory(), count)", "", server.uri]);
  try {
    await withOurClient(server, expected, () => `${(written / 2 ** 20).toFixed(1)} MiB written, the rest is zero`);
    await withProgram("nbdcopy", server, expected, (nbdcopy, uri, copy) => [
      [nbdcopy, image, uri],
      [nbdcopy, uri, copy],
    ]);
    await withProgram("qemu-img", server, expected, (qemuImg, uri, copy) => [
      [qemuImg, "convert", "-n", "-f", "raw", "-O", "raw", image, uri],
      [qemuImg, "convert", "-f", "raw", "-O", "raw", uri, copy],
    ]);
    await checkFileSystem(checker);
  } finally {
    await server.close();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

console.log(table(["step", "with", "time", "sha256 / result"], rows));
const wrong = rows.filter(([, , , result]) => result.startsWith("WRONG"));
console.log(wrong.length === 0 ? "What came back is what went in." : `${wrong.length} copies differ from the image.`);
process.exitCode = wrong.length === 0 ? 0 : 1;

async function withOurClient(server, expected, note) {
  const disk = await connect(server.uri);
  try {
    const onto = await timed(() => fileToDisk(image, disk));
    rows.push(["copy onto the disk", "connect()", onto, note()]);
    const copy = join(folder, "copy");
    const off = await timed(() => diskToFile(disk, copy));
    rows.push(["copy off the disk", "connect()", off, await verdict(copy, expected)]);
  } finally {
    await disk.close();
  }
}

async function withProgram(name, server, expected, commands) {
  const program = await find(name);
  if (program === undefined) {
    rows.push(["copy onto and off", name, "", "not installed"]);
    return;
  }
  const copy = join(folder, name);
  const time = await timed(async () => {
    for (const command of commands(program, server.uriOf(name), copy)) await run(...command);
  });
  rows.push(["copy onto and off", name, time, await verdict(copy, expected)]);
}

async function checkFileSystem({ name, check }) {
  if (check === undefined) rows.push(["check the file system", name, "", "not installed"]);
  else rows.push(["check the file system", name, await timed(() => check(join(folder, "copy"))), "sound"]);
}

async function verdict(path, expected) {
  const sum = await sha256(path);
  return sum === expected ? `${sum.slice(0, 16)} the same` : `WRONG ${sum.slice(0, 16)}`;
}

async function timed(step) {
  const started = performance.now();
  await step();
  return `${((performance.now() - started) / 1000).toFixed(2)} s`;
}

async function sha256(path) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
