// Requests that libnbd would not send unless told to: each is refused with the error that the protocol asks for, and the connection lives.

import { expect, it } from "vitest";
import { DiskError, pipe } from "../../src/contract/index.ts";
import { nbdsh } from "../fixtures/nbdsh.ts";
import { ram, when } from "../fixtures/ram.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";

const MiB = 1024 * 1024;

describeWith(["nbdsh"], "nbdsh is refused", () => {
  overEach((reach) => {
    it.each([
      ["beyond the end", "65536, 512"],
      ["across the end", "65535, 2"],
      ["at the largest offset there is", "2 ** 64 - 1, 1"],
      ["across the largest offset there is", "2 ** 64 - 1, 65536"],
      ["at the first negative offset", "2 ** 63, 65536"],
      ["with the longest length there is", "0, 2 ** 32 - 1"],
    ])("ranges %s", async (_, range) => {
      const { uri } = await served(reach, ram(Buffer.alloc(65536, "a")));
      const script = `
        h.set_strict_mode(0)
        h.add_meta_context("base:allocation")
        h.connect_uri(uri)
        offset, length = ${range}
        if length < 2 ** 26:
            result["read"] = failure(h.pread, length, offset)
            result["structured read"] = failure(chunks_of, h, length, offset)
            result["write"] = failure(h.pwrite, bytes(length), offset)
        result["zero"] = failure(h.zero, length, offset)
        result["trim"] = failure(h.trim, length, offset)
        result["cache"] = failure(h.cache, length, offset)
        result["status"] = failure(status_of, h, length, offset)
        assert h.pread(65536, 0) == b"a" * 65536
      `;
      expect(await nbdsh(uri, script)).toEqual({
        ...(range.startsWith("0,") ? {} : { read: "EINVAL", "structured read": "EINVAL", write: "ENOSPC" }),
        zero: "ENOSPC",
        trim: "EINVAL",
        cache: "EINVAL",
        status: "EINVAL",
      });
    });

    it("writes of any size to a read-only export, whose payload is passed over", async () => {
      const { uri } = await served(reach, ram(Buffer.alloc(65536, "a")), { readonly: true });
      const script = `
        h.set_strict_mode(0)
        h.connect_uri(uri)
        for size in [1, 512, 65536, 300000, 1 << 20, 32 << 20, 64 << 20]:
            assert failure(h.pwrite, bytes(size), 0) == "EPERM", size
            assert h.pread(3, 1) == b"aaa"
        result["trim"] = failure(h.trim, 512, 0)
        result["zero"] = failure(h.zero, 512, 0)
        result["flush"] = failure(h.flush)
      `;
      expect(await nbdsh(uri, script)).toEqual({ trim: "EPERM", zero: "EPERM", flush: null });
    });

    it("a write larger than the server takes, whose payload is passed over", async () => {
      const { uri } = await served(reach, ram(64 * MiB));
      const script = `
        h.set_strict_mode(0)
        h.connect_uri(uri)
        result["too large"] = failure(h.pwrite, b"x" * ((32 << 20) + 1), 0)
        result["just right"] = failure(h.pwrite, b"y" * (32 << 20), 0)
        result["read"] = h.pread(3, 0).decode()
      `;
      expect(await nbdsh(uri, script)).toEqual({ "too large": "EINVAL", "just right": null, read: "yyy" });
    });

    it("flags that do not belong to the command", async () => {
      const { uri } = await served(reach, ram(65536));
      const script = `
        h.set_strict_mode(0)
        h.add_meta_context("base:allocation")
        h.connect_uri(uri)
        DF, ONE, HOLE, FAST, FUA = nbd.CMD_FLAG_DF, nbd.CMD_FLAG_REQ_ONE, nbd.CMD_FLAG_NO_HOLE, nbd.CMD_FLAG_FAST_ZERO, nbd.CMD_FLAG_FUA
        def refused(call, *args, flags):
            return [flag for flag in flags if failure(call, *args, flag) != "EINVAL"]
        result["taken"] = [
            refused(h.pread, 512, 0, flags=[ONE, HOLE, FAST, 0x40, 0x8000]),
            refused(h.pwrite, bytes(512), 0, flags=[DF, ONE, HOLE, FAST, 0x40, 0x8000]),
            refused(h.flush, flags=[DF, ONE, HOLE, FAST, 0x40, 0x8000]),
            refused(h.trim, 512, 0, flags=[DF, ONE, HOLE, FAST, 0x40, 0x8000]),
            refused(h.cache, 512, 0, flags=[DF, ONE, HOLE, FAST, 0x40, 0x8000]),
            refused(h.zero, 512, 0, flags=[DF, ONE, 0x40, 0x8000]),
            refused(status_of, h, 512, 0, flags=[DF, HOLE, FAST, 0x40, 0x8000]),
        ]
        result["FUA on a read"] = failure(h.pread, 512, 0, FUA)
        h.pread(65536, 0)
      `;
      expect(await nbdsh(uri, script)).toEqual({ taken: [[], [], [], [], [], [], []], "FUA on a read": null });
    });

    it("commands that the export does not offer", async () => {
      const bare = {
        name: "bare",
        open: () => ({ size: 65536n, traits: { cache: "none" } as const, read: (target: Uint8Array) => void target.fill(1), write() {} }),
      };
      const { uri } = await served(reach, bare);
      const script = `
        h.set_strict_mode(0)
        h.connect_uri(uri)
        result["offered"] = [h.can_flush(), h.can_fua(), h.can_trim(), h.can_cache(), h.can_zero(), h.can_fast_zero()]
        result["flush"] = failure(h.flush)
        result["fua"] = failure(h.pwrite, bytes(512), 0, nbd.CMD_FLAG_FUA)
        result["trim"] = failure(h.trim, 512, 0)
        result["cache"] = failure(h.cache, 512, 0)
        result["status"] = failure(status_of, h, 512, 0)
        result["zero"] = failure(h.zero, 512, 0)
        result["fast zero"] = failure(h.zero, 512, 0, nbd.CMD_FLAG_FAST_ZERO)
        h.pread(65536, 0)
      `;
      expect(await nbdsh(uri, script)).toEqual({
        offered: [false, false, false, false, true, true],
        flush: "EINVAL",
        fua: "EINVAL",
        trim: "EINVAL",
        cache: "EINVAL",
        status: expect.any(String),
        zero: null,
        "fast zero": "ENOTSUP",
      });
    });

    it("what the plugin refuses, with the plugin's own error", async () => {
      const codes = ["EIO", "EINVAL", "ENOSPC", "EPERM", "ENOMEM", "ESHUTDOWN"];
      const failing = when((_operation, offset) => {
        const code = codes[Number(offset / 65536n)];
        if (code !== undefined) throw Object.assign(new Error("as told"), { code });
        if (offset >= BigInt(MiB)) throw new TypeError("a bug in the plugin");
      });
      const { uri } = await served(reach, pipe(ram(2 * MiB), failing));
      const script = `
        h.add_meta_context("base:allocation")
        h.connect_uri(uri)
        offsets = [65536 * turn for turn in range(6)] + [1 << 20]
        result["read"] = [failure(h.pread, 100, offset) for offset in offsets]
        result["large read"] = [failure(chunks_of, h, 65536, offset) for offset in offsets]
        result["write"] = [failure(h.pwrite, bytes(100), offset) for offset in offsets]
        result["large write"] = [failure(h.pwrite, bytes(65536), offset) for offset in offsets]
        result["trim"] = [failure(h.trim, 512, offset) for offset in offsets]
        result["zero"] = [failure(h.zero, 512, offset) for offset in offsets]
        result["cache"] = [failure(h.cache, 512, offset) for offset in offsets]
        result["status"] = [failure(status_of, h, 512, offset) for offset in offsets]
        h.pread(1000, 65536 * 6)
      `;
      const errors = [...codes, "EIO"];
      expect(await nbdsh(uri, script)).toEqual(
        Object.fromEntries(["read", "large read", "write", "large write", "trim", "zero", "cache", "status"].map((what) => [what, errors])),
      );
    });

    it("a read, and is told at which byte it went wrong", async () => {
      const bad = when((operation, offset, length) => {
        if (operation === "read" && offset <= 70_000n && offset + length > 70_000n)
          throw new DiskError("EIO", "sector 136 cannot be read", { offset: 70_000n });
      });
      const { uri } = await served(reach, pipe(ram(Buffer.alloc(MiB, "a")), bad));
      const script = `
        h.connect_uri(uri)
        seen = []
        result["error"] = failure(h.pread_structured, 65536, 65536, lambda part, at, kind, err: seen.append([kind == nbd.READ_ERROR, at, err.value]))
        result["seen"] = seen
        assert h.pread(65536, 131072) == b"a" * 65536
      `;
      expect(await nbdsh(uri, script)).toEqual({ error: "EIO", seen: [[true, 70_000, 5]] });
    });
  });
});
