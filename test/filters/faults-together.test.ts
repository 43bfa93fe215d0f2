// Several filters of one command line, switched while a client is connected, as a test engineer uses them.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { main } from "../../src/cli/commands.ts";
import { filters } from "../../src/cli/filters.ts";
import { plugins } from "../../src/cli/plugins.ts";
import { connect } from "../../src/index.ts";
import { testHost } from "../cli/fixtures/host.ts";
import { run } from "../fixtures/run.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

describeWith(["qemu-io"], "error, log and delay on one command line", () => {
  it("a client's requests are slow, written down, and fail while there is a file", async () => {
    const root = tree();
    const [socket, logfile, inject] = ["sock1", "log1", "error1"].map((name) => join(root, name)) as [string, string, string];
    const host = testHost({ ...process.env });
    const words =
      `serve -fv -U ${socket} --filter=error --filter=log --filter=delay memory size=${64 * 1024 * 1024} ` +
      `logfile=${logfile} rdelay=40ms wdelay=40ms error-rate=100% error-file=${inject}`;
    const ended = main(words.split(" "), host, { plugins, filters });
    while (!existsSync(socket)) await new Promise((resolve) => setImmediate(resolve));

    const uri = `nbd+unix:///?socket=${socket}`;
    const works = await run("qemu-io", ["-f", "raw", "-c", "write -P 7 1M 4k", "-c", "read -P 7 1M 4k", uri]);
    expect(works.stdout).toContain("read 4096/4096 bytes");
    writeFileSync(inject, "");
    const fails = await run("qemu-io", ["-f", "raw", "-c", "read 1M 4k", uri], { status: "any" });
    expect(fails.stdout + fails.stderr).toContain("read failed: Input/output error");

    // The same client goes on when the file is gone.
    const disk = await connect(uri);
    await expect(Promise.resolve(disk.read(new Uint8Array(512), 0n))).rejects.toThrow("injecting EIO error into pread");
    rmSync(inject);
    const target = new Uint8Array(1);
    await disk.read(target, 1024n * 1024n);
    expect(target[0]).toBe(7);
    await disk.close();

    host.emit("SIGTERM");
    expect(await ended, host.printed.stderr).toBe(0);
    const lines = readFileSync(logfile, "utf8").split("\n");
    const times = lines.filter((line) => /Write id=\d+/.test(line)).map((line) => Date.parse(`${line.slice(0, 23).replace(" ", "T")}Z`));
    expect((times[1] ?? 0) - (times[0] ?? 0), "the delay is below the log").toBeGreaterThanOrEqual(39);
    // The error filter is nearest the client: what fails does not get to the log.
    expect(lines.filter((line) => line.includes("return=-1"))).toEqual([]);
  });
});
