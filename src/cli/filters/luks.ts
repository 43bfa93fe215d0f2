// `luks` on the command line.

import { readFileSync } from "node:fs";
import { luks } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";
import { UsageError } from "../usage-error.ts";

export const luksEntry: FilterEntry = filterEntry({
  name: "luks",
  summary: "The content of a disk that is encrypted with LUKS1 or LUKS2",
  keys: {
    passphrase: { type: "secret", help: "Opens the disk: itself, - to be asked, +FILE to read a file's first line, -FD a descriptor's" },
    "key-file": { type: "path", help: "In place of the passphrase: a file of which every byte counts" },
    "key-slot": { type: "integer", help: "Only this keyslot is tried", default: "all of them" },
    "allow-discards": { type: "boolean", default: "false", help: "Trimming reaches the disk below, which shows what is in use" },
    "max-memory": { type: "size", default: "1G", help: "What Argon2 may take while the disk is unlocked" },
    threads: { type: "integer", help: "Threads that encrypt and decrypt for large requests", default: "processors - 1, at most 4" },
  },
  create(options) {
    const {
      passphrase,
      "key-file": keyFile,
      "key-slot": keyslot,
      "allow-discards": allowDiscards,
      "max-memory": maxMemory,
      threads,
    } = options;
    if ((passphrase === undefined) === (keyFile === undefined)) throw new UsageError("expected passphrase=… or key-file=…, and not both");
    return luks({
      passphrase: keyFile === undefined ? (passphrase as string) : () => readFileSync(keyFile),
      ...(keyslot !== undefined && { keyslot }),
      ...(allowDiscards !== undefined && { allowDiscards }),
      ...(maxMemory !== undefined && { maxMemory }),
      ...(threads !== undefined && { threads }),
    });
  },
});
