// The ip filter.

import { describe, expect, it, test } from "vitest";
import { connect, type IpOptions, ip, listExports, memory, type Peer, pipe } from "../../src/index.ts";
import { native } from "../../src/native/index.ts";
import { testFilter } from "../../src/testing/index.ts";
import { served } from "../fixtures/served.ts";
import { command } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

/** Whether a client would be let in. */
async function letsIn(options: IpOptions, peer: Peer): Promise<boolean> {
  const plugin = pipe(memory(512), ip(options));
  try {
    await plugin.preconnect?.(peer);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "EPERM", message: expect.stringContaining("is not allowed to connect") });
    return false;
  }
}

const tcp = (address: string): Peer => ({ transport: "tcp", address, port: 5000 });
const unix = (process?: Peer["process"]): Peer => ({ transport: "unix", process });
const me = { pid: 100, uid: 1000, gid: 2000 };

describe("ip", () => {
  testFilter({ test, routes: ["directly"], filter: () => ip({ allow: "all" }), transparent: true });

  it.each([
    [{}, "192.0.2.1", true],
    [{ deny: "all" }, "192.0.2.1", false],
    [{ allow: "all", deny: "all" }, "192.0.2.1", true],
    [{ allow: "192.0.2.1" }, "192.0.2.2", true],
    [{ deny: "192.0.2.1" }, "192.0.2.2", true],
    [{ deny: "192.0.2.1" }, "192.0.2.1", false],
    [{ allow: "127.0.0.1,::1", deny: "all" }, "127.0.0.1", true],
    [{ allow: "127.0.0.1,::1", deny: "all" }, "::1", true],
    [{ allow: "127.0.0.1,::1", deny: "all" }, "127.0.0.2", false],
    [{ allow: ["127.0.0.1", "::1"], deny: ["all"] }, "::1", true],
  ])("%j: a client at %s is let in: %s", async (options, address, expected) => expect(await letsIn(options, tcp(address))).toBe(expected));

  it.each([
    ["any", "192.0.2.1", true],
    ["ALL", "2001:db8::1", true],
    ["anyipv4", "192.0.2.1", true],
    ["allipv4", "2001:db8::1", false],
    ["allipv6", "2001:db8::1", true],
    ["anyipv6", "192.0.2.1", false],
    ["allunix", "192.0.2.1", false],
    ["allvsock", "192.0.2.1", false],
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["192.0.2.77/24", "192.0.2.1", true],
    ["10.0.0.0/8", "10.255.255.255", true],
    ["192.0.2.1/32", "192.0.2.1", true],
    ["192.0.2.1/32", "192.0.2.0", false],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["0.0.0.0/0", "::1", false],
    ["192.0.2.5-192.0.2.9", "192.0.2.9", true],
    ["192.0.2.5-192.0.2.9", "192.0.2.10", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1", true],
    ["::/0", "2001:db8::1", true],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", true],
    ["1:2:3:4:5:6:7:8/127", "1:2:3:4:5:6:7:9", true],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221", true],
  ])("%s is about %s: %s", async (rule, address, expected) => expect(await letsIn({ deny: rule }, tcp(address))).toBe(!expected));

  it.each([
    ["127.0.0.1", "::ffff:127.0.0.1", true],
    ["127.0.0.0/8", "::ffff:7f00:1", true],
    ["anyipv4", "::ffff:127.0.0.1", true],
    ["anyipv6", "::ffff:127.0.0.1", false],
    ["::/0", "::ffff:127.0.0.1", false],
    ["::ffff:127.0.0.1", "127.0.0.1", true],
    ["::ffff:127.0.0.0/104", "127.255.0.1", true],
    ["::127.0.0.1", "127.0.0.1", false],
  ])("an IPv4 address within IPv6 is one of IPv4: %s is about %s: %s", async (rule, address, expected) =>
    expect(await letsIn({ deny: rule }, tcp(address))).toBe(!expected),
  );

  it.each([
    ["fe80::1", "fe80::1%eth0", true],
    ["fe80::/10", "fe80::1%eth0", true],
    ["fe80::1%eth0", "fe80::1%eth0", true],
    ["fe80::1%eth1", "fe80::1%eth0", false],
    ["fe80::1%eth0", "fe80::1", false],
  ])("an address may belong to an interface: %s is about %s: %s", async (rule, address, expected) =>
    expect(await letsIn({ deny: rule }, tcp(address))).toBe(!expected),
  );

  it.each([
    [{ deny: "allunix" }, false],
    [{ deny: "pid:100" }, false],
    [{ deny: "uid:1000" }, false],
    [{ deny: "gid:2000" }, false],
    [{ deny: "pid:1,uid:1,gid:1" }, true],
    [{ allow: "uid:1000", deny: "all" }, true],
    [{ allow: "uid:1001", deny: "all" }, false],
    [{ deny: "0.0.0.0/0,::/0,allvsock,vsock-cid:3,vsock-port:10809" }, true],
  ])("a client on a unix socket is judged by its process: %j: %s", async (options, expected) =>
    expect(await letsIn(options, unix(me))).toBe(expected),
  );

  it("denies where it cannot be found out whether a rule is about a client", async () => {
    expect(await letsIn({ deny: "uid:1000" }, unix())).toBe(false);
    expect(await letsIn({ allow: "uid:1000", deny: "all" }, unix())).toBe(false);
    expect(await letsIn({ deny: "uid:1000" }, tcp("192.0.2.1"))).toBe(true);
    expect(await letsIn({ deny: "192.0.2.0/24" }, tcp("not an address"))).toBe(false);
    expect(await letsIn({ allow: "192.0.2.0/24", deny: "all" }, tcp("not an address"))).toBe(false);
    expect(await letsIn({ deny: "anyipv6" }, { transport: "tcp" })).toBe(false);
  });

  it("applies all to streams, and nothing to this process itself", async () => {
    expect(await letsIn({ deny: "all" }, { transport: "stream" })).toBe(false);
    expect(await letsIn({ deny: "all" }, { transport: "stdio" })).toBe(false);
    expect(await letsIn({ deny: "all" }, { transport: "process" })).toBe(true);
    expect(await letsIn({ deny: "allunix,allipv4" }, { transport: "stream" })).toBe(true);
  });

  it("asks the layers below too", async () => {
    const below = {
      ...memory(512),
      name: "picky",
      preconnect() {
        throw new Error("not today");
      },
    };
    await expect(pipe(below, ip({ allow: "all" })).preconnect?.(tcp("192.0.2.1"))).rejects.toThrow("not today");
  });

  it("drops a client before a byte is sent, and shows it no list", async () => {
    const { uri } = await served("tcp", pipe(memory(512), ip({ deny: "127.0.0.0/8" })));
    await expect(connect(uri)).rejects.toThrow();
    await expect(listExports(uri)).rejects.toThrow();
    const { uri: open } = await served("tcp", pipe(memory(512), ip({ allow: "127.0.0.1", deny: "all" })));
    await (await connect(open)).close();
  });

  it.runIf(native() !== undefined)("finds out who is at the other end of a unix socket", async () => {
    const own = process.getuid?.() ?? -1;
    const { uri } = await served("unix", pipe(memory(512), ip({ allow: `uid:${own}`, deny: "all" })));
    await (await connect(uri)).close();
    const { uri: closed } = await served("unix", pipe(memory(512), ip({ deny: `pid:${process.pid}` })));
    await expect(connect(closed)).rejects.toThrow();
  });

  it.each([
    ["foo", 'allow "foo": expected an address, ADDRESS/BITS'],
    ["1.2.3", 'allow "1.2.3": expected an address'],
    ["1.2.3.4/33", 'allow "1.2.3.4/33": expected an address'],
    ["::1/129", 'allow "::1/129": expected'],
    ["1.2.3.9-1.2.3.1", "expected an address"],
    ["1.2.3.4-::1", "expected an address"],
    ["1.2.3.4-1.2.3.5-1.2.3.6", "expected an address"],
    ["01.2.3.4", "expected an address"],
    [",all", 'allow "": a rule is missing between commas'],
    ["all,", 'allow "": a rule is missing between commas'],
    [" all", 'allow " all": expected an address'],
    ["pid:x", 'allow "pid:x": expected a number from 1'],
    ["pid:0", 'allow "pid:0": expected a number from 1'],
    ["uid:-1", 'allow "uid:-1": expected a number from 0'],
    ["uid:4294967296", "expected a number from 0"],
    ["security:unconfined_t", "security labels and certificates of clients are not known here"],
    ["dn:CN=bob", "are not known here"],
    ["constructor", "expected an address"],
    [5, "allow 5: expected rules as text"],
  ])("refuses %j", (allow, text) => expect(() => ip({ allow: allow as string })).toThrow(text));
});

describeWith(["nbdkit", "nbdinfo"], "ip, side by side with nbdkit", () => {
  const own = String(process.getuid?.());
  it.each([
    [["allow=all"], 0],
    [["deny=all"], 1],
    [["deny=allunix"], 1],
    [["deny=allipv4,allipv6,allvsock"], 0],
    [[`allow=uid:${own}`, "deny=all"], 0],
    [[`deny=uid:${own}`], 1],
    [["allow=uid:54321", "deny=all"], 1],
    [["allow=gid:54321", `allow=uid:${own}`, "deny=ANY"], 0],
    [["allow=pid:1", "deny=all"], 1],
    [["allow="], 0],
  ])("%j over a unix socket", async (keys, expected) => {
    for (const who of ["nbdkit", "diskwright"] as const) {
      const { code, stderr } = await command(who, [
        "-U",
        "-",
        "--filter=ip",
        "memory",
        "1M",
        ...keys,
        "--run",
        'nbdinfo --size "$uri" >/dev/null 2>&1',
      ]);
      expect(code, `${who}: ${stderr}`).toBe(expected);
    }
  });

  it.each([
    ["allow=foo"],
    ["allow=1.2.3"],
    ["deny=1.2.3.4/33"],
    ["deny=::1/129"],
    ["allow=,all"],
    ["allow=pid:x"],
    ["allow=uid:-1"],
    ["deny=pid:0"],
  ])("both refuse %s", async (key) => {
    for (const who of ["nbdkit", "diskwright"] as const) {
      const { code } = await command(who, ["-U", "-", "--filter=ip", "memory", "1M", key, "--run", "true"]);
      expect(code, who).toBe(1);
    }
  });
});
