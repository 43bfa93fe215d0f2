// The luks filter: the content of an encrypted disk, LUKS1 or LUKS2, read and written.

import { availableParallelism } from "node:os";
import { assertSecret, readSecret, type Secret } from "../common/secret.ts";
import { DiskError } from "../contract/error.ts";
import { type Filter, filter } from "../contract/index.ts";
import { parseSize, type Size } from "../contract/size.ts";

export { type FormatLuksOptions, formatLuks, type LuksKdf } from "./luks/format.ts";

import { unlock } from "./luks/unlock.ts";
import { Volume } from "./luks/volume.ts";
import { Volumes } from "./luks/volumes.ts";

/** More than this many threads are a mistake. */
const MOST_THREADS = 64;

/** What {@link luks} is told. */
export interface LuksOptions {
  /**
   * Opens one of the keyslots. Text, bytes (such as those of a key file: all of them count, a line end too), or a function that fetches either
   * when the first client comes.
   */
  readonly passphrase: Secret;
  /** Only this keyslot is tried, 0 to 7 (LUKS1) or 31 (LUKS2). Default: all that are in use, those of high priority first. */
  readonly keyslot?: number;
  /**
   * Trimming reaches the disk below, as with cryptsetup's `--allow-discards`: whoever sees that disk then sees which parts of it are in use.
   * Default: false, and there is no trimming.
   */
  readonly allowDiscards?: boolean;
  /** The memory that Argon2 may take while a LUKS2 disk is unlocked; a disk that needs more is refused. Below 4G. Default: `1G`. */
  readonly maxMemory?: Size;
  /**
   * Threads that encrypt and decrypt for requests of 64 KiB and more (aes-xts). All luks disks of the process share them; 0: it is all done on the
   * main thread. Default: one less than there are processors, at most 4.
   */
  readonly threads?: number;
}

/**
 * Shows the content of a disk that is encrypted with LUKS1 or LUKS2, as cryptsetup, the Linux kernel and qemu make them. What is written is
 * encrypted; writes need not be whole sectors. The key is derived once, when the first client comes, and forgotten when the plugin closes.
 *
 * The disk's `open` throws DiskError EPERM when the passphrase opens no keyslot, and EINVAL when the header is none, damaged, or asks for what is
 * not supported.
 *
 * @throws DiskError EINVAL when an option is wrong
 * @example
 * ```ts
 * const disk = await openDisk(pipe(myPlugin(), luks({ passphrase: () => myKeyring.get("disk") })));
 * ```
 */
export function luks(options: LuksOptions): Filter {
  const passphrase = assertSecret(options?.passphrase, "luks: passphrase");
  const { keyslot, allowDiscards = false } = options;
  if (keyslot !== undefined && !(Number.isInteger(keyslot) && keyslot >= 0 && keyslot < 32))
    throw new DiskError("EINVAL", `luks: keyslot ${String(keyslot)}: expected a whole number from 0 to 31`);
  if (typeof allowDiscards !== "boolean")
    throw new DiskError("EINVAL", `luks: allowDiscards ${String(allowDiscards)}: expected true or false`);
  const maxMemory = parseSize(options.maxMemory ?? "1G", "luks: maxMemory");
  const { threads = Math.min(availableParallelism() - 1, 4) } = options;
  if (!(Number.isInteger(threads) && threads >= 0 && threads <= MOST_THREADS))
    throw new DiskError("EINVAL", `luks: threads ${String(threads)}: expected a whole number from 0 to ${MOST_THREADS}`);
  if (maxMemory >= 2n ** 32n) throw new DiskError("EINVAL", `luks: maxMemory ${maxMemory}: expected less than 4G`);

  return (next) => {
    const volumes = new Volumes(async (disk, header, signal) => {
      const bytes = await readSecret(passphrase, "luks: passphrase");
      try {
        return new Volume(header, await unlock(disk, header, bytes, { keyslot, maxMemory, signal }), threads);
      } finally {
        bytes.fill(0);
      }
    });
    return filter("luks", async (disk, { signal }) => (await volumes.open(disk, signal)).open(disk, allowDiscards), {
      close: () => volumes.wipe(),
    })(next);
  };
}
