// The iso plugin: folders as a CD-ROM.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { main } from "../../src/cli/commands.ts";
import { plugins } from "../../src/cli/plugins.ts";
import { type Disk, type IsoOptions, iso, openDisk } from "../../src/index.ts";
import { testPlugin } from "../../src/testing/index.ts";
import { testHost } from "../cli/fixtures/host.ts";
import { run } from "../fixtures/run.ts";
import { command, expectBothRefuse, expectSame, type Who } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const files = { "a file with a long name.text": "hello\n", "folder/nested.txt": "nested\n" };

/** All that is on a disk, in a file. */
async function saved(disk: Disk): Promise<string> {
  const content = Buffer.alloc(Number(disk.size));
  await disk.read(content, 0n);
  const path = join(tree(), "image.iso");
  writeFileSync(path, content);
  return path;
}

/** A program that stands in for those that make images. */
function program(script: string): string {
  const path = join(tree(), "make-iso");
  writeFileSync(path, `#!/bin/sh\n${script}`);
  chmodSync(path, 0o755);
  return path;
}

describeWith(["xorriso", "isoinfo"], "an image", () => {
  testPlugin({
    test,
    factory: () => iso(tree(files), { params: ["-JrT"] }),
    expect: { write: false, multiConn: true },
    routes: ["directly"],
  });

  test("has what is in the folder", async () => {
    await using disk = await openDisk(iso(tree(files), { params: ["-Jr", "-V", "My Disk"] }));
    expect(disk.capabilities.write).toBe(false);
    const path = await saved(disk);
    expect((await run("isoinfo", ["-R", "-f", "-i", path])).stdout.trim().split("\n").toSorted()).toEqual([
      "/a file with a long name.text",
      "/folder",
      "/folder/nested.txt",
    ]);
    expect((await run("isoinfo", ["-R", "-i", path, "-x", "/folder/nested.txt"])).stdout).toBe("nested\n");
    expect((await run("isoinfo", ["-d", "-i", path])).stdout).toContain("Volume id: My Disk\n");
  });

  test("merges several folders", async () => {
    await using disk = await openDisk(iso([tree({ "one.txt": "1" }), tree({ "two.txt": "2" })], { params: ["-r"] }));
    expect((await run("isoinfo", ["-R", "-f", "-i", await saved(disk)])).stdout.trim().split("\n")).toEqual(["/one.txt", "/two.txt"]);
  });

  test("is made once for all clients, and anew when the plugin starts again", async () => {
    const folder = tree(files);
    const plugin = iso(folder, { params: ["-r"] });
    {
      await using one = await openDisk(plugin);
      writeFileSync(join(folder, "new.txt"), "x");
      await using other = await openDisk(plugin);
      expect((await run("isoinfo", ["-R", "-f", "-i", await saved(other)])).stdout).not.toContain("new.txt");
      expect(one.size).toBe(other.size);
    }
    await using again = await openDisk(plugin);
    expect((await run("isoinfo", ["-R", "-f", "-i", await saved(again)])).stdout).toContain("new.txt");
  });

  describeWith(["genisoimage"], "of an empty folder", () => {
    test("is an image too, although xorriso makes none", async () => {
      await using disk = await openDisk(iso(tree()));
      expect((await run("isoinfo", ["-d", "-i", await saved(disk)])).stdout).toContain("CD-ROM is in ISO 9660 format");
      await using nothing = await openDisk(iso(tree(), { program: "xorriso" }));
      expect(nothing.size).toBe(0n);
    });
  });

  for (const name of ["xorriso", "genisoimage", "mkisofs"]) {
    describeWith([name], `by ${name}`, () => {
      test("is the same", async () => {
        await using disk = await openDisk(iso(tree(files), { params: ["-r"], program: name }));
        expect((await run("isoinfo", ["-R", "-i", await saved(disk), "-x", "/folder/nested.txt"])).stdout).toBe("nested\n");
      });
    });
  }
});

describe("the program", () => {
  /** A PATH with these programs alone. */
  function only(...names: string[]): void {
    const folder = tree();
    for (const name of names) {
      writeFileSync(join(folder, name), `#!/bin/sh\necho ${name} "$@"`);
      chmodSync(join(folder, name), 0o755);
    }
    vi.stubEnv("PATH", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
  }

  async function said(options: IsoOptions = {}): Promise<string> {
    await using disk = await openDisk(iso("/", options));
    return readFileSync(await saved(disk), "utf8");
  }

  test("is the first that is there, and xorriso is told to be mkisofs", async () => {
    only("mkisofs", "genisoimage", "xorriso");
    expect(await said({ params: ["-J", "a b"] })).toBe("xorriso -as mkisofs -quiet -J a b /\n");
    only("mkisofs", "genisoimage");
    expect(await said()).toBe("genisoimage -quiet /\n");
    only("mkisofs");
    expect(await said()).toBe("mkisofs -quiet /\n");
    only();
    await expect(said()).rejects.toThrow("iso: there is none of xorriso, genisoimage, mkisofs on the PATH: install one of them");
  });

  test("is another one where that is said", async () => {
    only("xorriso", "xorrisofs");
    expect(await said({ program: "xorrisofs" })).toBe("xorrisofs -quiet /\n");
    await expect(said({ program: "other" })).rejects.toThrow("cannot run other: there is no such program");
  });

  test("shows what it says when it fails, and leaves nothing behind", async () => {
    const folder = tree();
    vi.stubEnv("TMPDIR", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const failing = program("echo half of it; echo the reason >&2; exit 5");
    const before = readdirSync(folder).length;
    await expect(openDisk(iso("/", { program: failing }))).rejects.toThrow(`iso: ${failing}: it ended with exit code 5\nthe reason`);
    await expect(openDisk(iso("/", { program: program("kill -9 $$") }))).rejects.toThrow("it was ended by SIGKILL");
    expect(readdirSync(folder).filter((name) => name.startsWith("diskwright-") && !name.startsWith("diskwright-test")).length).toBe(0);
    expect(before).toBeGreaterThan(0);
  });

  test("is ended when nobody waits for it any more", async () => {
    const pid = join(tree(), "pid");
    const plugin = iso("/", { program: program(`echo $$ > ${pid}; sleep 1000`) });
    const controller = new AbortController();
    const starting = plugin.start?.({ signal: controller.signal, shutdown: () => undefined }) as Promise<void>;
    await vi.waitFor(() => expect(existsSync(pid) && readFileSync(pid, "utf8")).toMatch(/\n$/), 10_000);
    controller.abort(new Error("closing"));
    await expect(starting).rejects.toThrow("closing");
    expect(() => process.kill(Number(readFileSync(pid, "utf8")), 0)).toThrow();
  });
});

describe("what iso() refuses", () => {
  test.each<[unknown, unknown, string]>([
    [undefined, {}, "iso: expected the path of a folder, or several"],
    [[], {}, "iso: expected the path of a folder, or several"],
    ["", {}, "iso: expected the path of a folder, or several"],
    [["/", 1], {}, "iso: expected the path of a folder, or several"],
    ["/", { params: "-J" }, "iso: params: expected a list of arguments"],
    ["/", { params: ["a\0b"] }, "iso: params: expected a list of arguments"],
    ["/", { program: "" }, 'iso: program "": expected the name of a program, or a path'],
  ])("%o %o", (folders, options, message) => {
    expect(() => iso(folders as string, options as IsoOptions)).toThrow(message);
  });

  test("a folder that is none", async () => {
    const folder = tree({ file: "" });
    await expect(openDisk(iso(join(folder, "none")))).rejects.toThrow(`iso: ${folder}/none: there is no such folder`);
    await expect(openDisk(iso(join(folder, "file")))).rejects.toThrow(`iso: ${folder}/file: it is no folder`);
  });
});

describe("on the command line", () => {
  test("a shell reads params", async () => {
    const path = program('printf "[%s]" "$@"');
    const out = join(tree(), "out");
    const line = ["-U", "-", "iso", "/", "/usr", "params=-V 'My  Disk' \"x$((1+1))\"", `prog=${path}`, "--run", `nbdcopy "$uri" ${out}`];
    expect(await command("diskwright", line)).toEqual({ code: 0, stderr: "" });
    expect(readFileSync(out, "utf8")).toBe("[-quiet][-V][My  Disk][x2][/][/usr]");
    const bare = await command("diskwright", ["-U", "-", "iso", "/", "params=", `prog=${path}`, "--run", `nbdcopy "$uri" ${out}`]);
    expect([bare.code, readFileSync(out, "utf8")]).toEqual([0, "[-quiet][/]"]);
  });

  test("params that are no words of a shell", async () => {
    const host = testHost({ ...process.env });
    expect(await main(["serve", "iso", "/", "params='"], host, { plugins, filters: [] })).toBe(1);
    expect(host.printed.stderr).toContain('iso: params "\'": the shell does not understand them: ');
  });

  describeWith(["nbdkit", "nbdcopy", "nbdinfo", "xorriso"], "side by side with nbdkit", () => {
    test("the same image, when the clock of the program stands still", async () => {
      const folder = tree(files);
      mkdirSync(join(folder, "empty"));
      const stamp = "2024010203040500";
      const params = `params=-JrT -V "My Disk" --modification-date=${stamp} --set_all_file_dates ${stamp}`;
      // Another program may find zeroes where nbdkit says that all is data.
      const { content } = await expectSame(["iso", folder, params], { map: false });
      expect(content.includes("nested\n")).toBe(true);
    });

    /** The paths on the image that a command line serves, under the names of Rock Ridge and of Joliet; nothing where it refuses or is empty. */
    async function listed(who: Who, folder: string): Promise<Record<"-R" | "-J", string> | undefined> {
      const path = join(tree(), "image.iso");
      const { code } = await command(who, ["-U", "-", "iso", folder, "params=-JrT", "--run", `nbdcopy "$uri" ${path}`]);
      if (code !== 0 || statSync(path).size === 0) return undefined;
      const names = async (how: string): Promise<string> => (await run("isoinfo", [how, "-f", "-i", path])).stdout;
      return { "-R": await names("-R"), "-J": await names("-J") };
    }

    describeWith(["isoinfo"], 'params="-JrT" as it is typed', () => {
      test("a folder", async () => {
        const folder = tree(files);
        const ours = await listed("diskwright", folder);
        expect(ours?.["-R"].split("\n")).toContain("/a file with a long name.text");
        expect(ours).toEqual(await listed("nbdkit", folder));
      });

      // On some machines it is empty, or not for us to read.
      test.skipIf(!existsSync("/boot"))("/boot, whatever is in it", async () => {
        const [theirs, ours] = await Promise.all([listed("nbdkit", "/boot"), listed("diskwright", "/boot")]);
        // Of an empty folder we make an empty image.
        expect(ours).toEqual(theirs ?? { "-R": "", "-J": "" });
      });
    });

    test.each<[string, readonly string[]]>([
      ["no folder", []],
      ["one that is not there", ["/no/such/folder"]],
      ["a program that is not there", ["/etc", "prog=no-such-program"]],
      ["parameters that it does not know", ["/etc", "params=-no-such-parameter"]],
    ])("both refuse %s", async (_, args) => {
      await expectBothRefuse(["iso", ...args]);
    });
  });
});
