// What is left when the server is killed: nothing, and what could be left is removed by the next run.

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdisk } from "@diskwright/tmpdisk";
import { connect, openDisk } from "diskwright";
import { describe, expect, test } from "vitest";
import { type Running, start } from "../../../test/fixtures/run.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { filesIn } from "./fixtures.ts";

const cli: string = join(import.meta.dirname, "../../../dist/cli.js");

/** `diskwright serve tmpdisk …`, with its temporary files in a folder. */
function command(folder: string, ...args: readonly string[]): { readonly server: Running; readonly uri: string } {
  const socket = join(tree(), "socket");
  const server = start(process.execPath, [cli, "serve", "--print-uri", "-U", socket, "tmpdisk", ...args], { env: { TMPDIR: folder } });
  return { server, uri: `nbd+unix:///?socket=${socket}` };
}

async function listening(server: Running): Promise<void> {
  await server.wrote(/nbd\+unix/);
}

describe("a server that is killed", () => {
  test("while a client has a disk leaves no file", async () => {
    const folder = tree();
    const { server, uri } = command(folder, "1M", 'command=truncate -s $size "$disk"');
    await listening(server);
    const disk = await connect(uri);
    await disk.write(Buffer.from("x"), 0n);
    expect(filesIn(folder)).toEqual([]);
    server.kill("SIGKILL");
    await server.ended;
    await disk.close().catch(() => undefined);
    expect(filesIn(folder)).toEqual([]);
  });

  test("while a disk is being made has the command ended and leaves no file", async () => {
    const folder = tree();
    const place = tree();
    const alive = join(place, "alive");
    execFileSync("mkfifo", [alive]);
    const { server, uri } = command(folder, "1M", `command=exec 7>"$alive"; truncate -s $size "$disk"; sleep 1000`, `alive=${alive}`);
    await listening(server);
    const client = connect(uri);
    client.catch(() => undefined);
    // Opens when the command does, and ends when the last process of it is gone.
    const open = start("cat", [alive]);
    await untilMade(folder);
    // The server alone, not its group.
    server.child.kill("SIGKILL");
    await open.ended;
    await untilNone(folder);
    await client.catch(() => undefined);
  });
});

describeWith(["mkfs.ext4"], "a disk that mkfs is at work on", () => {
  test("has no name already", async () => {
    const folder = tree();
    const bin = tree();
    // A program that is called like the real one, and says what it sees.
    writeFileSync(join(bin, "mkfs.ext4"), `#!/bin/sh\nls -A "${folder}" >&2; readlink /proc/self/fd/3 >&2; exit 9\n`, { mode: 0o755 });
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    try {
      const error = (await openDisk(tmpdisk("1M", { directory: folder })).catch((refused: unknown) => refused)) as Error;
      expect(error.message).toMatch(/^tmpdisk: mkfs\.ext4 failed: it ended with exit code 9\n\/.* \(deleted\)$/);
    } finally {
      process.env.PATH = path;
    }
  });
});

describe("what is left by processes that are gone", () => {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().replaceAll("-", "");
  const namespace = /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] as string;
  const ownStart = (): string => {
    const stat = readFileSync("/proc/self/stat", "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] as string;
  };

  /** Makes such folders, starts a plugin, and tells which are still there. */
  async function leftOf(names: readonly string[]): Promise<readonly string[]> {
    const folder = tree();
    for (const name of names) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "disk"), "");
    }
    const disk = await openDisk(tmpdisk("1M", { directory: folder, format: () => undefined }));
    await disk.close();
    return readdirSync(folder).sort();
  }

  test("is removed when the next plugin starts", async () => {
    expect(
      await leftOf([
        `diskwright-tmpdisk-${boot}-${namespace}-999999999-1-abc`,
        `diskwright-tmpdisk-${boot}-${namespace}-${process.pid}-1-abc`,
      ]),
    ).toEqual([]);
  });

  test.each([
    ["a process that is there", `diskwright-tmpdisk-${boot}-${namespace}-${process.pid}-${ownStart()}-abc`],
    ["another run of the machine, or another machine", `diskwright-tmpdisk-${"0".repeat(32)}-${namespace}-999999999-1-abc`],
    ["a container", `diskwright-tmpdisk-${boot}-1-999999999-1-abc`],
    ["somebody who only chose a similar name", "diskwright-tmpdisk-mine"],
    ["another program", `nbdkit-${boot}-${namespace}-999999999-1-abc`],
  ])("stays if it may be of %s", async (_, name) => {
    expect(await leftOf([name])).toEqual([name]);
  });
});

/** Until the command has begun, and has made its file. */
async function untilMade(folder: string): Promise<void> {
  while (!filesIn(folder).some((name) => name.endsWith("/disk"))) await turn();
}

async function untilNone(folder: string): Promise<void> {
  while (filesIn(folder).length > 0) await turn();
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
