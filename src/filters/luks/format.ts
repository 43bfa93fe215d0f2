// formatLuks(): makes an encrypted disk of any disk.

import { randomBytes, randomUUID } from "node:crypto";
import { readSecret, type Secret } from "../../common/secret.ts";
import type { Disk } from "../../contract/disk.ts";
import { parseSize, type Size } from "../../contract/size.ts";
import { hashSize, parseEncryption } from "./encryption.ts";
import { format1 } from "./format1.ts";
import { format2 } from "./format2.ts";
import type { Kdf } from "./header.ts";
import { checkKdf } from "./limits.ts";
import { refused } from "./refused.ts";

/** How {@link formatLuks} encrypts. */
export interface FormatLuksOptions {
  /** Opens the first keyslot. */
  readonly passphrase: Secret;
  /** 1 is understood by qemu, nbdkit and old kernels, 2 by cryptsetup from version 2. Default: 2. */
  readonly version?: 1 | 2;
  /** `aes-xts-plain64`, or for example `aes-cbc-essiv:sha256`. Default: `aes-xts-plain64`. */
  readonly cipher?: string;
  /** Bits of the volume key; XTS takes two keys of AES, 256 or 512 bits in all. Default: 512 for XTS, else 256. */
  readonly keySize?: number;
  /** For PBKDF2, the key's digest and the splitter. Default: `sha256`. */
  readonly hash?: string;
  /** How keys are derived of passphrases. LUKS1 has PBKDF2 alone. Default: `{ type: "argon2id" }` for LUKS2, `{ type: "pbkdf2" }` for LUKS1. */
  readonly kdf?: LuksKdf;
  /** Bytes of an encrypted sector: 512, 1024, 2048 or 4096; LUKS1 has 512 alone. Larger ones are faster, if all who use the disk write whole ones. Default: 512. */
  readonly sectorSize?: number;
  /** A name for people, up to 47 characters of ASCII; LUKS2 alone. Default: none. */
  readonly label?: string;
  /** Default: a random one. */
  readonly uuid?: string;
  /** Where the encrypted data begin: a multiple of 4096. Default: `2M` for LUKS1, `16M` for LUKS2, as cryptsetup has it. */
  readonly payloadOffset?: Size;
}

/** How a key is derived of a passphrase: the dearer, the longer it takes to guess, and to open the disk. */
export type LuksKdf =
  | {
      readonly type: "pbkdf2";
      /** At least 1000. Default: 2,000,000. */
      readonly iterations?: number;
    }
  | {
      readonly type: "argon2id" | "argon2i";
      /** Passes over the memory. Default: 4. */
      readonly passes?: number;
      /** Default: `256M`. */
      readonly memory?: Size;
      /** Threads that may be used. Default: 4. */
      readonly threads?: number;
    };

/**
 * Makes a LUKS disk of `disk`: writes a header, and a volume key drawn at random, which the passphrase opens. What was on the disk before the payload
 * is overwritten; what comes after is left as it is, and reads as garbage.
 *
 * @throws DiskError EINVAL when an option is wrong or the disk too small
 * @example
 * ```ts
 * const store = memory("1G");
 * await using raw = await openDisk(store);
 * await formatLuks(raw, { passphrase: "correct horse" });
 * await using disk = await openDisk(pipe(store, luks({ passphrase: "correct horse" })));
 * ```
 */
export async function formatLuks(disk: Disk, options: FormatLuksOptions): Promise<void> {
  const { version = 2, cipher = "aes-xts-plain64", hash = "sha256", label = "", uuid = randomUUID(), sectorSize = 512 } = options;
  if (version !== 1 && version !== 2) throw refused(`version ${String(version)}: expected 1 or 2`);
  if (version === 1 && sectorSize !== 512) throw refused("sectorSize: LUKS1 has sectors of 512 bytes; use version 2 for others");
  if (version === 1 && label !== "") throw refused("label: LUKS1 has none; use version 2");
  if (![512, 1024, 2048, 4096].includes(sectorSize)) throw refused(`sectorSize ${String(sectorSize)}: expected 512, 1024, 2048 or 4096`);
  if (!/^[ -~]{0,47}$/.test(label)) throw refused("label: expected up to 47 characters of ASCII");
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid))
    throw refused("uuid: expected one such as 01234567-89ab-cdef-0123-456789abcdef");
  const { keySize = /^[^-]*-xts-/.test(cipher) ? 512 : 256 } = options;
  const encryption = parseEncryption(cipher, keySize / 8, "the new disk");
  hashSize(hash, "the new disk");
  const payloadOffset = parseSize(options.payloadOffset ?? (version === 1 ? "2M" : "16M"), "luks: payloadOffset");
  if (payloadOffset % 4096n !== 0n) throw refused(`payloadOffset ${payloadOffset}: expected a multiple of 4096`);
  if (payloadOffset > disk.size) throw refused(`the disk has ${disk.size} bytes, fewer than the header takes (${payloadOffset})`);
  const kdf = kdfOf(options.kdf ?? { type: version === 1 ? "pbkdf2" : "argon2id" }, hash);

  const passphrase = await readSecret(options.passphrase, "luks: passphrase");
  const key = randomBytes(encryption.keySize);
  try {
    const common = { encryption, stripes: 4000, uuid, payloadOffset };
    if (version === 2) return await write(disk, payloadOffset, await format2({ ...common, kdf, hash, label, sectorSize }, passphrase, key));
    if (kdf.type !== "pbkdf2") throw refused(`kdf: LUKS1 has pbkdf2 alone; use version 2 for ${kdf.type}`);
    return await write(disk, payloadOffset, await format1({ ...common, kdf }, passphrase, key));
  } finally {
    passphrase.fill(0);
    key.fill(0);
  }
}

/** Keyslots and headers begin at multiples of this, and are written as such: some disks want whole blocks. */
const BLOCK = 4096;

async function write(disk: Disk, payloadOffset: bigint, pieces: ReadonlyMap<bigint, Uint8Array>): Promise<void> {
  await disk.zero(0n, payloadOffset);
  for (const [offset, bytes] of pieces) {
    const blocks = new Uint8Array(Math.ceil(bytes.length / BLOCK) * BLOCK);
    blocks.set(bytes);
    await disk.write(blocks, offset);
  }
  await disk.flush();
}

function kdfOf(kdf: LuksKdf, hash: string): Kdf {
  const salt = randomBytes(32);
  let made: Kdf;
  switch (kdf.type) {
    case "pbkdf2":
      made = { type: kdf.type, hash, iterations: kdf.iterations ?? 2_000_000, salt };
      if (!Number.isInteger(made.iterations) || made.iterations < 1000)
        throw refused(`kdf.iterations ${String(kdf.iterations)}: expected at least 1000`);
      break;
    case "argon2i":
    case "argon2id":
      made = {
        type: kdf.type,
        passes: kdf.passes ?? 4,
        memory: Number(parseSize(kdf.memory ?? "256M", "luks: kdf.memory") / 1024n),
        lanes: kdf.threads ?? 4,
        salt,
      };
      break;
    default:
      throw refused(`kdf.type ${String((kdf as { type: unknown }).type)}: expected pbkdf2, argon2id or argon2i`);
  }
  checkKdf(made, "kdf");
  return made;
}
