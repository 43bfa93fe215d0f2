// The plugin over a library that checks how it is used.

import { type ChildProcess, spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { copyFileSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type VddkMessage, type VddkOptions, vddk } from "@diskwright/vddk";
import { connect, type Disk, openDisk, serve } from "diskwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { compile, expectGoodUse, type FakeVddk, fakeVddk, folder, image } from "./fake.ts";

const MiB = 2 ** 20;

/** Opens a disk with a library of its own. */
async function open(
  content: Uint8Array,
  options: VddkOptions & { readonly?: boolean } = {},
): Promise<{ disk: Disk; fake: FakeVddk; path: string }> {
  const { readonly = false, ...rest } = options;
  const fake = fakeVddk();
  const path = image(content);
  const disk = await openDisk(vddk(path, { libdir: fake.libdir, ...rest }), { readonly });
  onTestFinished(() => disk.close().catch(() => undefined));
  return { disk, fake, path };
}

/** Collects what the library says while a test runs. */
function messages(): VddkMessage[] {
  const said: VddkMessage[] = [];
  const listen = (message: unknown): void => void said.push(message as VddkMessage);
  subscribe("diskwright:vddk.log", listen);
  onTestFinished(() => void unsubscribe("diskwright:vddk.log", listen));
  return said;
}

/** Children of this process that run the library. */
function children(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
        return Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("vddk/dist/child.js");
      } catch {
        return false;
      }
    })
    .map(Number);
}

describeWith(["gcc"], "vddk", () => {
  for (const [name, isolated] of [
    ["in a process", true],
    ["in threads", false],
  ] as const) {
    describe(name, () => {
      test("opens, reads, writes, flushes and closes in the library's order, and leaves nothing behind", async () => {
        const { disk, fake, path } = await open(sample(MiB), { isolated });
        expect(disk.size).toBe(BigInt(MiB));
        await disk.write(Buffer.from("hello"), 4096n);
        await disk.flush();
        await disk.close();
        expect(readFileSync(path).toString("latin1", 4096, 4101)).toBe("hello");
        expect(fake.calls()).toEqual([
          `InitEx 7.0 libdir=${basename(fake.libdir)} config=none`,
          "ConnectEx local readonly=0",
          "Open flags=0",
          "QueryAllocatedBlocks 0 128",
          "Flush",
          "Close",
          "Disconnect",
          ...(isolated ? ["Exit, 0 things left behind"] : []),
        ]);
      });

      test("a request larger than the shared memory, and one that begins and ends amid a sector", async () => {
        const content = sample(9 * MiB);
        const { disk, fake } = await open(content, { isolated });
        const all = Buffer.alloc(content.length);
        await disk.read(all, 0n);
        expect(all.equals(content)).toBe(true);
        const written = sample(5 * MiB + 77, 5);
        await disk.write(written, 1001n);
        content.set(written, 1001);
        await disk.read(all, 0n);
        expect(all.equals(content)).toBe(true);
        const odd = Buffer.alloc(3);
        await disk.read(odd, 511n);
        expect(odd.equals(content.subarray(511, 514))).toBe(true);
        await disk.close();
        expectGoodUse(fake);
      });

      test("an error of the library has its text, its number and a code", async () => {
        const { disk, fake } = await open(sample(MiB), { isolated });
        fake.control("fail Read 16007", "fail Write 8");
        const text = "VixDiskLib_Read: the fake's text of error 16007 (VIX error 16007)";
        await expect(disk.read(Buffer.alloc(512), 0n)).rejects.toMatchObject({ code: "EINVAL", message: text });
        await expect(disk.write(Buffer.alloc(512), 0n)).rejects.toMatchObject({ code: "ENOSPC" });
        fake.control();
        await disk.read(Buffer.alloc(512), 0n);
        await disk.close();
        expectGoodUse(fake);
      });

      test.each(["ConnectEx", "Open", "GetInfo"])("what was opened is closed again when %s fails", async (call) => {
        const fake = fakeVddk();
        fake.control(`fail ${call} 35`);
        const plugin = vddk(image(sample(MiB)), { libdir: fake.libdir, isolated });
        await expect(openDisk(plugin)).rejects.toMatchObject({ code: "EACCES", message: expect.stringContaining(`VixDiskLib_${call}:`) });
        const calls = fake.calls();
        expect(calls.filter((line) => line === "Disconnect").length).toBe(call === "ConnectEx" ? 0 : 1);
        expect(calls.filter((line) => line === "Close").length).toBe(call === "GetInfo" ? 1 : 0);
        fake.control();
        const disk = await openDisk(plugin);
        await disk.close();
        expect(fake.calls().filter((line) => line.startsWith("VIOLATION"))).toEqual([]);
      });

      test("a failed close reaches the caller, and everything else is closed", async () => {
        const { disk, fake } = await open(sample(MiB), { isolated });
        fake.control("fail Close 7");
        await expect(disk.close()).rejects.toThrow("VixDiskLib_Close: the fake's text of error 7 (VIX error 7)");
        expect(fake.calls()).toContain("Disconnect");
      });

      test("read-only: neither connection nor disk can be written", async () => {
        const { disk, fake } = await open(sample(MiB), { isolated, readonly: true });
        expect(disk.capabilities).toMatchObject({ write: false, multiConn: true });
        expect(fake.calls()).toEqual(expect.arrayContaining(["ConnectEx local readonly=1", "Open flags=4"]));
      });

      test("a library that logs from another thread while ours waits for that does not lock up", async () => {
        const { disk, fake } = await open(sample(MiB), { isolated });
        fake.control("noisy");
        await disk.read(Buffer.alloc(512), 0n);
        await disk.write(Buffer.alloc(512), 0n);
        await disk.flush();
      });

      test("extents are those of the library, in chunks; the part after the last chunk is data", async () => {
        const content = Buffer.alloc(10 * MiB + 512);
        const path = image(Buffer.alloc(0));
        const fake = fakeVddk();
        writeFileSync(path, sample(100_000));
        const { truncate } = await import("node:fs/promises");
        await truncate(path, content.length);
        const disk = await openDisk(vddk(path, { libdir: fake.libdir, isolated }));
        const chunk = 65_536n;
        expect(await disk.extents(0n, disk.size)).toEqual([
          { offset: 0n, length: 2n * chunk, hole: false, zero: false },
          { offset: 2n * chunk, length: 158n * chunk, hole: true, zero: true },
        ]);
        expect(await disk.extents(160n * chunk, 512n)).toEqual([{ offset: 160n * chunk, length: 512n, hole: false, zero: false }]);
        await disk.write(Buffer.from("x"), 5n * chunk + 3n);
        expect((await disk.extents(4n * chunk, 3n * chunk)).map(({ hole }) => hole)).toEqual([true, false, true]);
        // The library was asked once.
        expect(fake.calls().filter((call) => call.startsWith("Query"))).toEqual([
          "QueryAllocatedBlocks 0 128",
          "QueryAllocatedBlocks 0 20480",
        ]);
        await disk.close();
        expectGoodUse(fake);
      });
    });
  }

  test("a library that hangs: its disk fails with ETIMEDOUT, now and later, and other clients get another", async () => {
    const { disk, fake, path } = await open(sample(MiB), { timeout: 2 });
    const other = await openDisk(vddk(path, { libdir: fake.libdir }));
    fake.control("hang Flush");
    const [flushed, read] = await Promise.allSettled([disk.flush(), disk.read(Buffer.alloc(512), 0n)]);
    const expected = { code: "ETIMEDOUT", message: "the VDDK library did not flush within 2000 ms: it was given up" };
    expect(flushed).toMatchObject({ reason: expected });
    expect(read).toMatchObject({ reason: expected });
    await expect(disk.read(Buffer.alloc(512), 0n)).rejects.toMatchObject(expected);
    fake.control();
    await disk.close();
    await other.read(Buffer.alloc(512), 0n);
    await other.close();
    await (await openDisk(vddk(path, { libdir: fake.libdir }))).close();
    expect(children()).toEqual([]);
  });

  test("a client that goes is not kept by a library that takes its time", async () => {
    const fake = fakeVddk();
    const controller = new AbortController();
    const plugin = vddk(image(sample(MiB)), { libdir: fake.libdir, timeout: 2 });
    const disk = await openDisk(plugin, { signal: controller.signal });
    fake.control("hang Read");
    const target = Buffer.alloc(512);
    const reading = disk.read(target, 0n);
    controller.abort(new Error("the client is gone"));
    await expect(reading).rejects.toThrow("the client is gone");
    await disk.close().catch(() => undefined);
    expect(target).toEqual(Buffer.alloc(512));
    expect(children()).toEqual([]);
  });

  test("a client that goes while its disk is opened leaves no process behind", async () => {
    const fake = fakeVddk();
    fake.control("hang Open");
    const controller = new AbortController();
    const opening = openDisk(vddk(image(sample(MiB)), { libdir: fake.libdir }), { signal: controller.signal });
    await expect.poll(() => fake.calls(), { timeout: 20_000 }).toContain("Open hangs");
    controller.abort(new Error("the client is gone"));
    await expect(opening).rejects.toThrow("the client is gone");
    expect(children()).toEqual([]);
  });

  test("opening takes as long as it may, and no longer", async () => {
    const fake = fakeVddk();
    fake.control("hang Open");
    const path = image(sample(MiB));
    const plugin = vddk(path, { libdir: fake.libdir, timeout: 2 });
    await expect(openDisk(plugin)).rejects.toMatchObject({ code: "ETIMEDOUT" });
    fake.control();
    await (await openDisk(vddk(path, { libdir: fake.libdir }))).close();
  });

  test("in threads too, a library that hangs does not hang the server, though it cannot be ended", async () => {
    // In a process of its own, which is killed: it could not end.
    const fake = fakeVddk();
    const { output, server } = program(`
      import { writeFileSync } from "node:fs";
      const control = (text) => writeFileSync(${JSON.stringify(join(fake.folder, "control"))}, text);
      const open = (timeout) => openDisk(vddk(${JSON.stringify(image(sample(MiB)))}, { libdir: ${JSON.stringify(fake.libdir)}, isolated: false, timeout }));
      const tell = (what) => what.then((value) => console.log("done"), (error) => console.log(error.code, error.message));
      const disk = await open(2);
      control("hang Flush\\n");
      await tell(disk.flush());
      await tell(disk.close());
      const other = await open(20);
      await tell(other.read(Buffer.alloc(512), 0n));
      await other.close();
      const third = await open(2);
      control("hang Close\\n");
      await tell(third.close());
      control("");
      await tell(open(2));
      console.log("end");`);
    await expect.poll(output, { timeout: 60_000 }).toContain("end\n");
    server.kill("SIGKILL");
    const timeout = 2000;
    expect(output().trim().split("\n")).toEqual([
      `ETIMEDOUT the VDDK library did not flush within ${timeout} ms: it was given up`,
      "done",
      "done",
      expect.stringMatching(/^ETIMEDOUT the VDDK library did not close within \d+ ms: it was given up$/),
      expect.stringMatching(/^EIO the VDDK library of this process cannot be used any more \(the VDDK library did not close /),
      "end",
    ]);
  });

  test("holes of a single link are no zeroes", async () => {
    const { disk, fake } = await open(Buffer.alloc(MiB), { singleLink: true, unbuffered: true, compression: "fastlz" });
    expect((await disk.extents(0n, disk.size)).every(({ zero }) => !zero)).toBe(true);
    expect(fake.calls()).toContain("Open flags=35");
  });

  test("a library that does not know what is allocated: all is data", async () => {
    const fake = fakeVddk();
    fake.control("fail QueryAllocatedBlocks 6");
    const said = messages();
    const disk = await openDisk(vddk(image(Buffer.alloc(MiB)), { libdir: fake.libdir }));
    expect(disk.capabilities.extents).toBe(false);
    await disk.close();
    expectGoodUse(fake);
    expect(said.map(({ text }) => text)).toContain(
      "extents are not offered: VixDiskLib_QueryAllocatedBlocks: the fake's text of error 6 (VIX error 6)",
    );
  });

  test("a library that fails to say it of a part: that part is data, and the disk is served", async () => {
    const { disk, fake } = await open(Buffer.alloc(MiB));
    fake.control("fail QueryAllocatedBlocks 1");
    const said = messages();
    expect(await disk.extents(0n, disk.size)).toEqual([{ offset: 0n, length: disk.size, hole: false, zero: false }]);
    expect(said.at(-1)?.text).toMatch(/^taken as allocated: 2048 sectors at 0 /);
  });

  test("messages of the library are told to those who listen, and nobody else", async () => {
    const said = messages();
    const { disk, fake, path } = await open(sample(MiB));
    fake.control("noisy", "fail Read 7");
    await expect(disk.read(Buffer.alloc(512), 0n)).rejects.toThrow();
    await disk.close();
    expect(said).toEqual(
      expect.arrayContaining([
        { level: "log", text: "hello from version 7.0", file: path },
        { level: "log", text: "said by another thread: 42", file: path },
        { level: "warning", text: "a failure of Read, made on purpose", file: path },
      ]),
    );
  });

  test("an error of opening has the library's warnings as its cause, which clients do not see", async () => {
    const fake = fakeVddk();
    fake.control("fail ConnectEx 1");
    await using server = await serve(vddk(image(sample(MiB)), { libdir: fake.libdir }));
    await expect(connect(server.uri)).rejects.toThrow(/the fake's text of error 1 \(VIX error 1\)(?!.*on purpose)/);
    const refused = await openDisk(vddk(image(sample(MiB)), { libdir: fake.libdir })).catch((error: Error) => error);
    expect(String((refused as Error).cause)).toContain("a failure of ConnectEx, made on purpose");
  });

  test("a library that crashes: its client is told, the server goes on, the next client gets a new one", async () => {
    const fake = fakeVddk();
    await using server = await serve(vddk(image(sample(MiB)), { libdir: fake.libdir }));
    const first = await connect(server.uri);
    await first.read(Buffer.alloc(512), 0n);
    fake.control("crash Flush");
    await expect(first.flush()).rejects.toThrow("the VDDK library crashed while it was to flush (SIGSEGV)");
    await first.close();
    fake.control();
    await using second = await connect(server.uri);
    const target = Buffer.alloc(512);
    await second.read(target, 0n);
    expect(target.equals(sample(MiB).subarray(0, 512))).toBe(true);
  });

  test("processes end with their disks", async () => {
    const { disk } = await open(sample(MiB));
    expect(children().length).toBe(1);
    await disk.close();
    expect(children()).toEqual([]);
  });

  test("a process that hangs in the library ends when the server is killed", async () => {
    const fake = fakeVddk();
    fake.control("hang Open");
    const { server } = program(`await openDisk(vddk(${JSON.stringify(image(sample(MiB)))}, { libdir: ${JSON.stringify(fake.libdir)} }));`);
    await expect.poll(() => fake.calls(), { timeout: 20_000 }).toContain("Open hangs");
    const child = readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && parentOf(pid) === server.pid) as string;
    expect(child).toBeDefined();
    server.kill("SIGKILL");
    await once(server, "exit");
    await expect.poll(() => existsSync(`/proc/${child}`) && parentOf(child) !== undefined, { timeout: 2 }).toBe(false);
  });

  test("libraries that come with it are found, but do not displace those of Node.js, and it has its own OpenSSL", async () => {
    const fake = fakeVddk();
    const sources = folder();
    writeFileSync(join(sources, "ssl.c"), 'const char *SSL_CTX_new(void) { return "the VDDK"; }');
    writeFileSync(join(sources, "plugin.c"), "const char *SSL_CTX_new(void); const char *whose_openssl(void) { return SSL_CTX_new(); }");
    compile(join(sources, "ssl.c"), join(fake.folder, "libvddkssl.so"));
    compile(join(sources, "plugin.c"), join(fake.folder, "libdiskLibPlugin.so"), `-L${fake.folder}`, "-lvddkssl");
    // What is too old for Node.js to run with: here, no library at all.
    writeFileSync(join(fake.folder, "libstdc++.so.6"), "too old");
    const disk = await openDisk(vddk(image(sample(MiB)), { libdir: fake.libdir }));
    await disk.close();
    expect(fake.calls()).toContain("plugin uses OpenSSL of the VDDK");
  });

  test("a remote disk: what is given arrives where the library expects it", async () => {
    const fake = fakeVddk(8);
    fake.remote(sample(MiB));
    let asked = 0;
    const password = () => {
      asked += 1;
      return `secret ${asked}`;
    };
    const remote = {
      server: "vcenter",
      user: "me",
      password,
      thumbprint: "12:34",
      vm: "vm-16",
      snapshot: "snapshot-7",
      transports: "hotadd:nbd",
    };
    const plugin = vddk("[store] a/a.vmdk", { ...remote, libdir: fake.libdir, port: 444, nfcHostPort: 903, config: "/etc/vddk.conf" });
    for (let i = 0; i < 2; i += 1) await (await openDisk(plugin, { readonly: true })).close();
    const line = (secret: string) =>
      `ConnectEx vcenter vm=moref=vm-16 type=1 user=me password=${secret} thumbprint=12:34 port=444 nfc=903 readonly=1 snapshot=snapshot-7 transports=hotadd:nbd spec=0`;
    expect(fake.calls().filter((call) => call.startsWith("ConnectEx"))).toEqual([line("secret 1"), line("secret 2")]);
    expect(fake.calls()[0]).toMatch(/^InitEx 8\.0 .*config=vddk\.conf$/);
    expectGoodUse(fake);
  });

  test("a remote disk by the cookie of a session", async () => {
    const fake = fakeVddk();
    fake.remote(sample(MiB));
    const options = { server: "esx", cookie: Buffer.from("vmware"), thumbprint: "12", vm: "moref=2", libdir: fake.libdir };
    await (await openDisk(vddk("[store] a/a.vmdk", options))).close();
    expect(fake.calls()).toContain(
      "ConnectEx esx vm=moref=2 cookie=vmware user=NULL key=NULL thumbprint=12 port=0 nfc=0 readonly=0 snapshot=NULL transports=NULL spec=0",
    );
  });

  test("a password is in no argument and no variable of any process", async () => {
    const fake = fakeVddk();
    fake.remote(sample(MiB));
    const options = { server: "esx", user: "u", password: "pa55word", thumbprint: "12", vm: "2", libdir: fake.libdir };
    const disk = await openDisk(vddk("[store] a/a.vmdk", options));
    for (const pid of children()) {
      for (const what of ["cmdline", "environ"]) expect(readFileSync(`/proc/${pid}/${what}`, "latin1")).not.toContain("pa55word");
    }
    await disk.close();
  });

  test("create makes the file when it is opened for the first time, and only then", async () => {
    const fake = fakeVddk();
    const path = join(folder(), "new.vmdk");
    const plugin = vddk(path, { libdir: fake.libdir, create: { size: "2M", type: "vmfs-thin", adapterType: "ide", hwVersion: "esx65" } });
    await expect(openDisk(plugin, { readonly: true })).rejects.toMatchObject({ code: "EROFS" });
    for (let i = 0; i < 2; i += 1) {
      const disk = await openDisk(plugin);
      expect(disk.size).toBe(2n * BigInt(MiB));
      await disk.close();
    }
    expect(fake.calls().filter((call) => call.startsWith("Create"))).toEqual(["Create type=7 adapter=1 hardware=13 capacity=4096"]);
    await expect(openDisk(vddk(path, { libdir: fake.libdir, create: { size: "2M" } }))).rejects.toMatchObject({ code: "EEXIST" });
    expectGoodUse(fake);
  });

  test("a disk that somebody else writes is busy", async () => {
    const fake = fakeVddk();
    fake.control("lock");
    const plugin = vddk(image(sample(MiB)), { libdir: fake.libdir });
    const first = await openDisk(plugin);
    await expect(openDisk(plugin)).rejects.toMatchObject({ code: "EBUSY" });
    await first.close();
    await (await openDisk(plugin)).close();
  });

  test("the newest library of a folder is taken, from lib64 or the folder itself", async () => {
    const fake = fakeVddk(6);
    await (await openDisk(vddk(image(sample(MiB)), { libdir: fake.libdir }))).close();
    expect(fake.calls()[0]).toMatch(/^InitEx 6\.7 /);
    copyFileSync(join(fake.folder, "libvixDiskLib.so.6"), join(fake.folder, "libvixDiskLib.so.9"));
    const link = folder();
    symlinkSync(join(fake.folder, "libvixDiskLib.so.9"), join(link, "libvixDiskLib.so.9"));
    await (await openDisk(vddk(image(sample(MiB)), { libdir: link }))).close();
    expect(
      fake
        .calls()
        .filter((call) => call.startsWith("InitEx"))
        .at(-1) ?? readFileSync(join(link, "calls"), "utf8"),
    ).toMatch(/^InitEx/);
    expect(readFileSync(join(link, "calls"), "utf8")).toMatch(/^InitEx 9\.0 /);
  });

  test("a library that is damaged, or not there, is an error that says so", async () => {
    const libdir = folder();
    await expect(openDisk(vddk("/any", { libdir }))).rejects.toMatchObject({
      code: "ENOENT",
      message: expect.stringContaining(`there is no libvixDiskLib.so.6 or later in ${libdir}/lib64: get VMware's VDDK`),
    });
    writeFileSync(join(libdir, "libvixDiskLib.so.8"), "no library");
    for (const isolated of [true, false])
      await expect(openDisk(vddk("/any", { libdir, isolated }))).rejects.toThrow("the VDDK library cannot be used: ");
  });

  test("in threads, a library is configured once", async () => {
    const { fake, path } = await open(sample(MiB), { isolated: false });
    const other = vddk(path, { libdir: fake.libdir, isolated: false, config: "/other" });
    await expect(openDisk(other)).rejects.toThrow("this process has the VDDK library with config (none) already");
  });
});

describe("options that are refused", () => {
  const remote = { server: "s", vm: "1", user: "u", password: "p", thumbprint: "t" };
  const { user: _u, ...withoutUser } = remote;
  const { vm: _v, ...withoutVm } = remote;
  test.each([
    ["file", () => vddk("")],
    ["option timeout 0: expected a length of time", () => vddk("a", { timeout: 0 })],
    ['option compression "gzip": expected none, zlib, fastlz, skipz', () => vddk("a", { compression: "gzip" as "zlib" })],
    ["option vm is for remote disks, and there is no server", () => vddk("a", { vm: "1" })],
    ['a disk on server "s" needs the option vm', () => vddk("a", withoutVm)],
    ['a disk on server "s" needs the option user (or cookie)', () => vddk("a", withoutUser)],
    ["option port 70000: expected 1 to 65535", () => vddk("a", { ...remote, port: 70000 })],
    ["option password: expected a string, a Uint8Array or a function, not number", () => vddk("a", { ...remote, password: 5 as never })],
    ["option create makes local files only", () => vddk("a", { ...remote, create: { size: 512 } })],
    ["option create.size 100: expected a multiple of 512 bytes", () => vddk("a", { create: { size: 100 } })],
    ['option libdir "": expected a text', () => vddk("a", { libdir: "" })],
    ["option isolated 1: expected true or false", () => vddk("a", { isolated: 1 as never })],
  ])("%s", (text, make) => {
    expect(make).toThrow(expect.objectContaining({ code: "EINVAL", message: expect.stringContaining(text) }));
  });
});

/** Runs a program in a process of its own, which is killed after the test. */
function program(text: string): { server: ChildProcess; output: () => string } {
  const root = join(import.meta.dirname, "../../..");
  const imports = `import { openDisk } from ${JSON.stringify(join(root, "dist/index.js"))}; import { vddk } from ${JSON.stringify(join(root, "plugins/vddk/dist/index.js"))};`;
  const server = spawn(process.execPath, ["--input-type=module", "-e", imports + text], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void server.kill("SIGKILL"));
  let output = "";
  server.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  return { server, output: () => output };
}

/** The parent of a process that runs. */
function parentOf(pid: string): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return /^State:\s*Z/m.test(status) ? undefined : Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
  } catch {
    return undefined;
  }
}
