// VMware's libvixDiskLib: its functions, and their errors. Source: the Virtual Disk API Programming Guide, versions 6.7 to 9.

import { join } from "node:path";
import koffi, { type TypeObject } from "koffi";
import type { LibC, Pointer } from "./libc.ts";
import { type Located, list } from "./locate.ts";

/** Functions of the library; what they are called there begins with `VixDiskLib_`. All but the last few answer with a VixError. */
export interface Functions {
  InitEx(major: number, minor: number, log: Pointer, warn: Pointer, panic: Pointer, libdir: string, config: string | null): number;
  Exit(): void;
  AllocateConnectParams(): Pointer;
  FreeConnectParams(parameters: Pointer): void;
  ConnectEx(parameters: Pointer, readonly: number, snapshot: string | null, transports: string | null, connection: Out): number;
  Disconnect(connection: Pointer): number;
  Create(connection: Pointer, path: string, parameters: object, progress: null, data: null): number;
  Open(connection: Pointer, path: string, flags: number, handle: Out): number;
  Close(handle: Pointer): number;
  GetInfo(handle: Pointer, info: Out): number;
  FreeInfo(info: Pointer): void;
  GetTransportMode(handle: Pointer): string | null;
  Read(handle: Pointer, sector: bigint, count: number, to: Pointer): number;
  Write(handle: Pointer, sector: bigint, count: number, from: Pointer): number;
  Flush(handle: Pointer): number;
  QueryAllocatedBlocks(handle: Pointer, sector: bigint, count: bigint, chunk: number, list: Out): number;
  FreeBlockList(list: Pointer): number;
}

/** A place for a pointer that a function gives. */
export type Out = BigUint64Array;

/** A failure that the library reported. */
export class VixFailure extends Error {
  readonly call: string;
  readonly number: number;

  constructor(call: string, number: number, text: string) {
    super(text);
    this.call = call;
    this.number = number;
  }
}

/** VixDiskLibConnectParams, with the union of credentials as its largest member: three pointers. */
export const connectParameters: TypeObject = koffi.struct({
  vmxSpec: "void *",
  serverName: "void *",
  thumbPrint: "void *",
  privateUse: "long",
  credType: "int",
  creds: koffi.array("void *", 3),
  port: "uint32_t",
  nfcHostPort: "uint32_t",
  vimApiVer: "void *",
  reserved: koffi.array("uint8_t", 8),
  state: "void *",
  spec: koffi.array("void *", 3),
  specType: "int",
});

/** VixDiskLibCreateParams. */
const createParameters: TypeObject = koffi.struct({
  diskType: "int",
  adapterType: "int",
  hwVersion: "uint16_t",
  capacity: "uint64_t",
  logicalSectorSize: "uint32_t",
  physicalSectorSize: "uint32_t",
});

const types: {
  readonly [K in keyof Functions]: readonly [result: TypeObject | string, ...parameters: (TypeObject | string)[]];
} = {
  InitEx: ["uint64_t", "uint32_t", "uint32_t", "void *", "void *", "void *", "str", "str"],
  Exit: ["void"],
  AllocateConnectParams: ["void *"],
  FreeConnectParams: ["void", "void *"],
  ConnectEx: ["uint64_t", "void *", "char", "str", "str", "void *"],
  Disconnect: ["uint64_t", "void *"],
  Create: ["uint64_t", "void *", "str", koffi.pointer(createParameters), "void *", "void *"],
  Open: ["uint64_t", "void *", "str", "uint32_t", "void *"],
  Close: ["uint64_t", "void *"],
  GetInfo: ["uint64_t", "void *", "void *"],
  FreeInfo: ["void", "void *"],
  GetTransportMode: ["str", "void *"],
  Read: ["uint64_t", "void *", "uint64_t", "uint64_t", "void *"],
  Write: ["uint64_t", "void *", "uint64_t", "uint64_t", "void *"],
  Flush: ["uint64_t", "void *"],
  QueryAllocatedBlocks: ["uint64_t", "void *", "uint64_t", "uint64_t", "uint64_t", "void *"],
  FreeBlockList: ["uint64_t", "void *"],
};

/** The parts that the library itself loads when it is wanted to reach a server. */
const parts = /^(libdiskLibPlugin\.so|libvixDiskLibVim\.so\.\d+)$/;

export class Library {
  readonly functions: Functions;
  readonly c: LibC;
  readonly #located: Located;
  readonly #errorText: (error: number | bigint, locale: null) => Pointer;
  readonly #freeErrorText: (text: Pointer) => void;

  /** Loads it. Throws when it is damaged, or lacks what it is to have. */
  constructor(located: Located, c: LibC) {
    // Deep: it comes with an OpenSSL of its own, and must not be bound to the one that is in Node.js.
    const loaded = koffi.load(located.file, { deep: true });
    const functions: Record<string, unknown> = {};
    for (const [name, [result, ...parameters]] of Object.entries(types)) {
      functions[name] = loaded.func(`VixDiskLib_${name}`, result, parameters);
    }
    this.functions = functions as unknown as Functions;
    this.#errorText = loaded.func("VixDiskLib_GetErrorText", "void *", ["uint64_t", "str"]);
    this.#freeErrorText = loaded.func("VixDiskLib_FreeErrorText", "void", ["void *"]);
    this.#located = located;
    this.c = c;
  }

  /**
   * Initialises the library, which is done once in a process. Log functions of our own are native ones: its threads log while ours waits in one of
   * its functions, and a function in JavaScript would have both wait for each other.
   */
  init(libdir: string, config: string | null, log: Pointer, warn: Pointer): void {
    // What it loads later by itself is loaded now, deep, for the same reason.
    for (const name of list(this.#located.folder).filter((file) => parts.test(file))) {
      try {
        koffi.load(join(this.#located.folder, name), { deep: true });
      } catch {
        // It will say so itself when it cannot do without.
      }
    }
    // As a program would be that was compiled with the first release of this version.
    const [major, minor] = this.#located.major === 6 ? [6, 7] : [this.#located.major, 0];
    this.check("InitEx", this.functions.InitEx(major, minor, log, warn, warn, libdir, config));
  }

  /** Throws a {@link VixFailure} unless a call went well. */
  check(call: keyof Functions, result: number | bigint): void {
    if (Number(result) === 0) return;
    const text = this.#errorText(result, null);
    const message = text === null || text === 0n ? "no text" : koffi.decode.string(text);
    this.#freeErrorText(text);
    throw new VixFailure(`VixDiskLib_${call}`, Number(BigInt.asUintN(32, BigInt(result))), message);
  }

  /** Calls a function that gives a pointer. */
  pointer(call: "ConnectEx" | "Open" | "GetInfo" | "QueryAllocatedBlocks", perform: (out: Out) => number): Pointer {
    const out = new BigUint64Array(1);
    this.check(call, perform(out));
    return out[0] as Pointer;
  }

  /** Sets a member of connection parameters. */
  set(parameters: Pointer, member: string, type: string, value: number | Pointer, index = 0): void {
    const at = parameters + BigInt(koffi.offsetof(connectParameters, member) + index * koffi.sizeof(type));
    koffi.encode(at, type, value);
  }
}
