// libnbd in negotiation mode: every option that it can send, in the orders that it can send them.

import { join } from "node:path";
import { expect, it } from "vitest";
import type { Context } from "../../src/contract/index.ts";
import { nbdsh } from "../fixtures/nbdsh.ts";
import { ram } from "../fixtures/ram.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const context = (name: string): Context => ({ name, extents: () => [] });
const several = {
  one: { plugin: ram(65536, { contexts: [context("x-one:a"), context("x-one:b"), context("x-two:a")] }), description: "the first" },
  two: { plugin: ram(131072), readonly: true },
};

describeWith(["nbdsh"], "nbdsh negotiates", () => {
  overEach((reach) => {
    it("a list, information on several exports, and then one of them", async () => {
      const { uri } = await served(reach, several);
      const script = `
        h.set_opt_mode(True)
        h.connect_uri(uri)
        assert h.aio_is_negotiating() and h.get_structured_replies_negotiated()
        for turn in range(2):
            listed = []
            result["count"] = h.opt_list(lambda name, description: listed.append([name, description]))
            result["listed"] = listed
        h.set_full_info(True)
        for name in ["one", "two"]:
            h.set_export_name(name)
            h.opt_info()
            result[name] = [h.get_size(), h.is_read_only(), h.get_canonical_export_name()]
        h.set_export_name("one")
        h.opt_go()
        assert h.aio_is_ready()
        result["chosen"] = [h.get_size(), h.is_read_only(), h.get_export_description()]
        h.pread(65536, 0)
        h.shutdown()
      `;
      expect(await nbdsh(uri, script)).toEqual({
        count: 2,
        listed: [
          ["one", "the first"],
          ["two", ""],
        ],
        one: [65536, false, "one"],
        two: [131072, true, "two"],
        chosen: [65536, false, "the first"],
      });
    });

    it("goes on after an export that is not there", async () => {
      const { uri } = await served(reach, several);
      const script = `
        h.set_opt_mode(True)
        h.connect_uri(uri)
        h.set_export_name("three")
        result["info"] = failure(h.opt_info)
        result["go"] = failure(h.opt_go)
        assert h.aio_is_negotiating()
        h.set_export_name("two")
        h.opt_go()
        result["size"] = h.get_size()
      `;
      expect(await nbdsh(uri, script)).toEqual({ info: "ENOENT", go: "ENOENT", size: 131072 });
    });

    it("leaves without choosing an export, and the server takes the next client", async () => {
      const { uri, server } = await served(reach, several);
      const script = `
        h.set_opt_mode(True)
        h.connect_uri(uri)
        h.opt_abort()
        assert h.aio_is_closed()
        other = nbd.NBD()
        other.set_export_name("two")
        other.set_opt_mode(True)
        other.connect_uri(uri)
        other.set_export_name("two")
        other.opt_go()
        result["size"] = other.get_size()
      `;
      expect(await nbdsh(uri, script)).toEqual({ size: 131072 });
      await server.close();
      expect(server.connections).toBe(0);
    });

    it.each([
      ["everything, when nothing is asked for", [], ["base:allocation", "x-one:a", "x-one:b", "x-two:a"]],
      ["a whole namespace", ["x-one:"], ["x-one:a", "x-one:b"]],
      ["several queries, each context once", ["x-two:a", "base:", "x-one:a", "x-one:a"], ["base:allocation", "x-one:a", "x-two:a"]],
      ["nothing that is unheard of", ["x-three:", "x-one:c", "base:dirty", "allocation"], []],
    ])("metadata contexts: %s", async (_, queries, expected) => {
      const { uri } = await served(reach, several);
      const script = `
        h.set_opt_mode(True)
        h.connect_uri(uri)
        h.set_export_name("one")
        for query in ${JSON.stringify(queries)}:
            h.add_meta_context(query)
        listed = []
        result["count"] = h.opt_list_meta_context(lambda name: listed.append(name))
        result["listed"] = sorted(listed)
      `;
      expect(await nbdsh(uri, script)).toEqual({ count: expected.length, listed: expected });
    });

    it("only the metadata contexts that it asked for by their whole name", async () => {
      const { uri } = await served(reach, several);
      const script = `
        h.set_opt_mode(True)
        h.connect_uri(uri)
        h.set_export_name("one")
        for name in ["x-one:b", "x-two:", "x-one:c", "base:allocation"]:
            h.add_meta_context(name)
        h.opt_go()
        for name in ["x-one:a", "x-one:b", "x-two:a", "x-two:", "x-one:c", "base:allocation"]:
            result[name] = h.can_meta_context(name)
        result["told"] = sorted(status_of(h, 65536, 0).keys())
      `;
      expect(await nbdsh(uri, script)).toEqual({
        "x-one:a": false,
        "x-one:b": true,
        "x-two:a": false,
        "x-two:": false,
        "x-one:c": false,
        "base:allocation": true,
        told: ["base:allocation", "x-one:b"],
      });
    });

    it("no metadata contexts of an export that it did not choose", async () => {
      const { uri } = await served(reach, several);
      const script = `
        h.set_opt_mode(True)
        h.connect_uri(uri)
        h.add_meta_context("x-one:a")
        h.set_export_name("one")
        h.opt_info()
        result["one"] = h.can_meta_context("x-one:a")
        h.set_export_name("two")
        h.opt_go()
        result["two"] = h.can_meta_context("x-one:a")
      `;
      expect(await nbdsh(uri, script)).toEqual({ one: true, two: false });
    });

    it("a connection without structured replies", async () => {
      const { uri } = await served(reach, ram(65536, { contexts: [context("x-one:a")] }));
      const script = `
        h.set_request_structured_replies(False)
        h.add_meta_context("base:allocation")
        h.connect_uri(uri)
        result["structured"] = h.get_structured_replies_negotiated()
        result["df"] = h.can_df()
        result["context"] = h.can_meta_context("base:allocation")
        h.pwrite(b"simple", 100)
        result["read"] = h.pread(6, 100).decode()
        h.set_strict_mode(0)
        result["past the end"] = failure(h.pread, 10, 65530)
        result["again"] = h.pread(6, 100).decode()
      `;
      expect(await nbdsh(uri, script)).toEqual({
        structured: false,
        df: false,
        context: false,
        read: "simple",
        "past the end": "EINVAL",
        again: "simple",
      });
    });

    it.each([
      ["nothing newer than newstyle", "0", "newstyle"],
      ["124 bytes of zeroes", "nbd.HANDSHAKE_FLAG_FIXED_NEWSTYLE", "newstyle-fixed"],
      ["no zeroes", "nbd.HANDSHAKE_FLAG_FIXED_NEWSTYLE | nbd.HANDSHAKE_FLAG_NO_ZEROES", "newstyle-fixed"],
    ])("with handshake flags for %s", async (_, flags, protocol) => {
      const { uriOf } = await served(reach, several);
      const script = `
        h.set_handshake_flags(${flags})
        h.connect_uri(uri)
        result["protocol"] = h.get_protocol()
        result["size"] = h.get_size()
        h.pread(131072, 0)
        h.shutdown()
      `;
      expect(await nbdsh(uriOf("two"), script)).toEqual({ protocol, size: 131072 });
    });

    it("block sizes", async () => {
      const { uri } = await served(reach, ram(65536, { blockSize: { minimum: 512, preferred: 4096, maximum: 65536 } }));
      const script = `
        h.connect_uri(uri)
        result["sizes"] = [h.get_block_size(kind) for kind in [nbd.SIZE_MINIMUM, nbd.SIZE_PREFERRED, nbd.SIZE_MAXIMUM]]
      `;
      expect(await nbdsh(uri, script)).toEqual({ sizes: [512, 4096, 65536] });
    });

    it("no TLS: without it where it may, not at all where it must", async () => {
      const { uri, server } = await served(reach, ram(65536));
      const { address } = server;
      const connect = address?.transport === "tcp" ? `connect_tcp("127.0.0.1", "${address.port}")` : `connect_unix("${address?.path}")`;
      const keys = join(tree({ "keys.psk": "alice:00112233445566778899aabbccddeeff\n" }), "keys.psk");
      const script = `
        h.set_tls(nbd.TLS_ALLOW)
        h.set_tls_psk_file("${keys}")
        h.${connect}
        result["allowed"] = [h.get_tls_negotiated(), h.get_size()]
        other = nbd.NBD()
        other.set_tls(nbd.TLS_REQUIRE)
        other.set_tls_psk_file("${keys}")
        result["required"] = failure(lambda: other.${connect})
      `;
      expect(await nbdsh(uri, script)).toEqual({ allowed: [false, 65536], required: "ENOTSUP" });
    });
  });
});
