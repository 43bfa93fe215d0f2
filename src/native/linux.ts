// The system calls of Linux, on those 64-bit machines that use the same numbers for them.

import { Turns } from "../contract/turns.ts";
import { systemError } from "./error.ts";
import type { Advice, BlockDevice, Native, PeerCredentials } from "./index.ts";
import type { Call, Koffi } from "./load.ts";

const machines: readonly string[] = ["x64", "arm64", "riscv64", "loong64"];

// linux/falloc.h
const KEEP_SIZE = 0x01;
const PUNCH_HOLE = 0x02;
const ZERO_RANGE = 0x10;
// linux/fs.h
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const RWF_NOWAIT = 0x08;
const BLKSSZGET = 0x1268;
const BLKDISCARD = 0x1277;
const BLKIOOPT = 0x1279;
const BLKPBSZGET = 0x127b;
const BLKROTATIONAL = 0x127e;
const BLKZEROOUT = 0x127f;
const BLKGETSIZE64 = 0x80081272;
// linux/fadvise.h
const advices: Readonly<Record<Advice, number>> = { normal: 0, random: 1, sequential: 2, willneed: 3, dontneed: 4, noreuse: 5 };
// asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_PEERCRED = 17;
// asm-generic/errno.h
const EINTR = 4;
const ENXIO = 6;
const EAGAIN = 11;
const ENOTTY = 25;
const EOPNOTSUPP = 95;

/** koffi sets memory aside for every call on another thread, and refuses more than 256 of them. */
const MOST_AT_ONCE = 32;

/**
 * Binds the system calls.
 *
 * @throws when this machine or its C library does not have them
 */
export function bind(koffi: Koffi): Native {
  if (!machines.includes(process.arch) || koffi.sizeof("long") !== 8) throw new Error(`the system calls of ${process.arch} are not known`);
  const libc = koffi.load(null);
  // koffi has no ssize_t: long is the same on these machines.
  const fallocate = libc.func("int fallocate(int fd, int mode, int64_t offset, int64_t length)");
  const lseek = libc.func("int64_t lseek(int fd, int64_t offset, int whence)");
  const preadv2 = libc.func("long preadv2(int fd, void *pieces, int count, int64_t offset, int flags)");
  const pwritev2 = libc.func("long pwritev2(int fd, void *pieces, int count, int64_t offset, int flags)");
  const pwrite = libc.func("long pwrite(int fd, void *source, size_t count, int64_t offset)");
  const posixFadvise = libc.func("int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)");
  const ioctl = libc.func("int ioctl(int fd, unsigned long request, void *value)");
  const getsockopt = libc.func("int getsockopt(int fd, int level, int name, void *value, void *length)");
  const setsockopt = libc.func("int setsockopt(int fd, int level, int name, void *value, int length)");
  const turns = new Turns(MOST_AT_ONCE);

  /** Makes a call on another thread, again where a signal interrupts it; answers the error's number, or 0, beside the result. */
  const onThread = (call: Call, ...parameters: unknown[]): Promise<Outcome> =>
    turns.run(
      () =>
        new Promise((resolve, reject) => {
          const attempt = (): void =>
            call.async(...parameters, (error: Error | null, result: number | bigint) => {
              if (error !== null) return reject(error);
              const errno = result === -1 ? koffi.errno() : 0;
              if (errno === EINTR) attempt();
              else resolve({ result, errno });
            });
          attempt();
        }),
    );

  const succeed = async (name: string, call: Call, ...parameters: unknown[]): Promise<number> => {
    const { result, errno } = await onThread(call, ...parameters);
    // A device without such a command says that this is no command of a terminal.
    if (errno !== 0) throw systemError(errno === ENOTTY ? EOPNOTSUPP : errno, name);
    return Number(result);
  };
  const range = async (name: string, call: Call, ...parameters: unknown[]): Promise<void> =>
    void (await succeed(name, call, ...parameters));

  const seek = (fd: number, offset: bigint, whence: number): bigint | undefined => {
    const result = lseek(fd, offset, whence) as number | bigint;
    return found({ result, errno: result === -1 ? koffi.errno() : 0 });
  };

  // Numbers that the kernel reads and writes: one place for all calls, as none of these is under way while another is made.
  const piece = new BigUint64Array(2);
  const nowait = (name: string, call: Call) => (fd: number, buffer: Uint8Array, offset: number | bigint) => {
    piece[0] = koffi.address(buffer);
    piece[1] = BigInt(buffer.byteLength);
    const count = call(fd, piece, 1, offset, RWF_NOWAIT) as number;
    if (count !== -1) return count;
    const errno = koffi.errno();
    if (errno === EAGAIN || errno === EINTR) return undefined;
    throw systemError(errno, name);
  };

  const number = new DataView(new ArrayBuffer(16));
  const bytes = new Uint8Array(number.buffer);
  const ask = (fd: number, request: number): DataView => {
    bytes.fill(0);
    if (ioctl(fd, request, bytes) === -1) throw systemError(koffi.errno(), "ioctl");
    return number;
  };

  return {
    punchHole: (fd, offset, length) => range("fallocate", fallocate, fd, PUNCH_HOLE | KEEP_SIZE, offset, length),
    zeroRange: (fd, offset, length) => range("fallocate", fallocate, fd, ZERO_RANGE | KEEP_SIZE, offset, length),
    allocate: (fd, offset, length) => range("fallocate", fallocate, fd, 0, offset, length),
    discard: (fd, offset, length) => range("ioctl", ioctl, fd, BLKDISCARD, new BigUint64Array([offset, length])),
    zeroOut: (fd, offset, length) => range("ioctl", ioctl, fd, BLKZEROOUT, new BigUint64Array([offset, length])),

    seekData: (fd, offset) => seek(fd, offset, SEEK_DATA),
    seekHole: (fd, offset) => seek(fd, offset, SEEK_HOLE),
    seekDataLater: async (fd, offset) => found(await onThread(lseek, fd, offset, SEEK_DATA)),
    seekHoleLater: async (fd, offset) => found(await onThread(lseek, fd, offset, SEEK_HOLE)),

    preadNowait: nowait("preadv2", preadv2),
    pwriteNowait: nowait("pwritev2", pwritev2),
    pwrite: (fd, source, offset) => succeed("pwrite", pwrite, fd, source, source.byteLength, offset),
    async advise(fd, offset, length, advice) {
      const { result } = await onThread(posixFadvise, fd, offset, length, advices[advice]);
      // This one answers with the error's number.
      if (result !== 0) throw systemError(Number(result), "posix_fadvise");
    },

    blockDevice: (fd): BlockDevice => ({
      size: ask(fd, BLKGETSIZE64).getBigUint64(0, true),
      logicalBlockSize: ask(fd, BLKSSZGET).getUint32(0, true),
      physicalBlockSize: ask(fd, BLKPBSZGET).getUint32(0, true),
      optimalSize: ask(fd, BLKIOOPT).getUint32(0, true),
      rotational: ask(fd, BLKROTATIONAL).getUint16(0, true) !== 0,
    }),
    peerCredentials(fd): PeerCredentials {
      const length = new Uint32Array([12]);
      if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes, length) === -1) throw systemError(koffi.errno(), "getsockopt");
      return { pid: number.getInt32(0, true), uid: number.getUint32(4, true), gid: number.getUint32(8, true) };
    },
    sendBuffer(fd, bytes) {
      if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, new Int32Array([bytes]), 4) === -1) throw systemError(koffi.errno(), "setsockopt");
    },
  };
}

/** What a call gave. */
interface Outcome {
  readonly result: number | bigint;
  /** 0: it succeeded. */
  readonly errno: number;
}

/** Where a seek ended; past the last data there is nothing to find. */
function found({ result, errno }: Outcome): bigint | undefined {
  if (errno === 0) return BigInt(result);
  if (errno === ENXIO) return undefined;
  throw systemError(errno, "lseek");
}
