import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatUri, parseUri, type UriParts } from "../../src/protocol/uri.ts";

describe("parseUri", () => {
  const tcp = (host: string, exportName = "", port = 10809): UriParts => ({ transport: "tcp", host, port, exportName });
  const unix = (path: string, exportName = ""): UriParts => ({ transport: "unix", path, exportName });

  it.each<[string, UriParts]>([
    ["nbd://example.com/disk", tcp("example.com", "disk")],
    ["nbd://example.com", tcp("example.com")],
    ["nbd://example.com/", tcp("example.com")],
    ["nbd://example.com//disk", tcp("example.com", "/disk")],
    ["nbd://example.com/hello%20world", tcp("example.com", "hello world")],
    ["nbd://example.com/a+b", tcp("example.com", "a+b")],
    ["nbd://example.com/a/b%3F%23%25", tcp("example.com", "a/b?#%")],
    ["nbd://example.com:10810/x", tcp("example.com", "x", 10810)],
    ["nbd://example.com:/x", tcp("example.com", "x")],
    ["NBD://127.0.0.1:1", tcp("127.0.0.1", "", 1)],
    ["nbd://[::1]:2/x", tcp("::1", "x", 2)],
    ["nbd://[fe80::1%25eth0]", tcp("fe80::1%eth0")],
    ["nbd:///x", tcp("localhost", "x")],
    ["nbd+unix:///disk?socket=sock", unix("sock", "disk")],
    ["nbd+unix://?socket=/run/a%20%26b.sock", unix("/run/a &b.sock")],
    ["nbd+unix:///?socket=%00/abstract", unix("\0/abstract")],
    ["nbd+unix:///é%C3%A9?socket=/s", unix("/s", "éé")],
  ])("reads %s", (uri, parts) => {
    expect(parseUri(uri)).toEqual(parts);
  });

  it.each<[string, string]>([
    ["", "expected nbd://host/export"],
    ["disk.img", "expected nbd://host/export"],
    ["http://example.com", "http: is no scheme of NBD"],
    ["nbd:localhost:10809", "expected nbd://"],
    ["nbd:unix:/tmp/sock", "expected nbd://"],
    ["nbds://example.com", "TLS is not there yet"],
    ["nbds+unix:///?socket=/s", "TLS is not there yet"],
    ["nbd+vsock://2/x", "no vsock"],
    ["nbd+ssh://host/x", "ssh -L"],
    ["nbd://alice@host/x", "user name is for TLS"],
    ["nbd://::1/x", "IPv6 address stands in brackets"],
    ["nbd://[x]/", "no IPv6 address"],
    ["nbd://host:0/", "port 0: expected 1 to 65535"],
    ["nbd://host:65536/", "expected 1 to 65535"],
    ["nbd://host:ten/", "a port is a number"],
    ["nbd://a%20b/", "no host name"],
    ["nbd://host/x#y", "write # as %23"],
    ["nbd://host/%zz", "percent-encoded UTF-8"],
    ["nbd://host/%ff", "percent-encoded UTF-8"],
    ["nbd://host/a%00b", "no NUL"],
    [`nbd://host/${"x".repeat(4097)}`, "longer than 4096 bytes"],
    ["nbd://host/x?socket=/s", "belongs to nbd+unix"],
    ["nbd://host/x?tls-type=psk", "tls-type: TLS is not there yet"],
    ["nbd+unix:///x", "add ?socket="],
    ["nbd+unix:///x?socket=", "add ?socket="],
    ["nbd+unix:///x?socket=a&socket=b", "there twice"],
    ["nbd+unix:///x?socket=a%00b", "NUL nowhere but at its start"],
    ["nbd+unix:///x?socket=a&colour=red", 'unknown query key "colour"'],
    ["nbd+unix://x?socket=a", "a unix socket has none"],
  ])("refuses %s", (uri, why) => {
    expect(() => parseUri(uri)).toThrow(expect.objectContaining({ code: "EINVAL", message: expect.stringContaining(why) }));
  });
});

describe("formatUri", () => {
  it("writes what other programs read", () => {
    expect(formatUri({ transport: "tcp", host: "localhost", port: 10809, exportName: "" })).toBe("nbd://localhost:10809/");
    expect(formatUri({ transport: "tcp", host: "::1", port: 7, exportName: "a b/c?" })).toBe("nbd://[::1]:7/a%20b/c%3F");
    expect(formatUri({ transport: "unix", path: "/tmp/it's here", exportName: "x" })).toBe("nbd+unix:///x?socket=/tmp/it%27s%20here");
  });

  it("refuses a name that is no Unicode", () => {
    expect(() => formatUri({ transport: "unix", path: "/s", exportName: "\ud800" })).toThrow("not valid Unicode");
  });

  it("writes what parseUri reads back", () => {
    const text = fc.string({ unit: "binary", maxLength: 40 }).map((s) => s.replaceAll("\0", ""));
    fc.assert(
      fc.property(text, text, (path, exportName) => {
        const parts: UriParts = { transport: "unix", path: `/${path}`, exportName };
        expect(parseUri(formatUri(parts))).toEqual(parts);
      }),
      { numRuns: 30 },
    );
    for (const host of ["localhost", "127.0.0.1", "::1", "fe80::1%eth0", "bücher.example"]) {
      const parts: UriParts = { transport: "tcp", host, port: 65535, exportName: "/a//b" };
      expect(parseUri(formatUri(parts))).toEqual(parts);
    }
  });
});
