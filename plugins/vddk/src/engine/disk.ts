// Opening and closing disks, in the calls of the library and their order.

import koffi from "koffi";
import { CHUNK, type CText, type OpenedDisk, type OpenSpec, type RemoteSpec } from "../jobs.ts";
import type { Pointer } from "./libc.ts";
import { type Library, VixFailure } from "./library.ts";

/** VixDiskLibCredType. */
const credentials = { password: 1, session: 2 };
/** Where `capacity` is in VixDiskLibInfo, behind two geometries of three 32-bit numbers. */
const CAPACITY = 24n;

/** Connects to where the disk is and opens it; makes it before where that is wanted. */
export function openDisk(library: Library, spec: OpenSpec): OpenedDisk {
  const { functions } = library;
  const { file, readonly, flags, snapshot = null, transports = null } = spec;
  const texts: CText[] = [];
  const parameters = functions.AllocateConnectParams();
  if (spec.remote !== undefined) fill(library, parameters, spec.remote, texts);
  const undo: (() => void)[] = [() => freeParameters(library, parameters, texts)];
  try {
    const connection = library.pointer("ConnectEx", (out) => functions.ConnectEx(parameters, readonly ? 1 : 0, snapshot, transports, out));
    undo.push(() => functions.Disconnect(connection));
    if (spec.create !== undefined) {
      const { type: diskType, adapter: adapterType, hardware: hwVersion, sectors: capacity } = spec.create;
      const made = { diskType, adapterType, hwVersion, capacity, logicalSectorSize: 0, physicalSectorSize: 0 };
      library.check("Create", functions.Create(connection, file, made, null, null));
    }
    const handle = library.pointer("Open", (out) => functions.Open(connection, file, flags, out));
    undo.push(() => functions.Close(handle));
    const transport = functions.GetTransportMode(handle) ?? "";
    const capacity = capacityOf(library, handle);
    return { parameters, connection, handle, texts, capacity, allocation: knowsAllocation(library, handle, capacity), transport };
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** Closes a disk and its connection, all of it even where a step fails; then throws the first failure. */
export function closeDisk(library: Library, { handle, connection, parameters, texts }: OpenedDisk): void {
  const closed = library.functions.Close(handle);
  const disconnected = library.functions.Disconnect(connection);
  freeParameters(library, parameters, texts);
  library.check("Close", closed);
  library.check("Disconnect", disconnected);
}

function fill(library: Library, parameters: Pointer, remote: RemoteSpec, texts: CText[]): void {
  const text = (member: string, value: string | Uint8Array | undefined, index = 0): void => {
    if (value === undefined) return;
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    const at = library.c.calloc(1, bytes.length + 1);
    library.c.memcpy(at, bytes, bytes.length);
    bytes.fill(0);
    texts.push({ at, length: bytes.length });
    library.set(parameters, member, "void *", at, index);
  };
  text("vmxSpec", remote.vm);
  text("serverName", remote.server);
  text("thumbPrint", remote.thumbprint);
  // The union has user and password, or cookie, user and password.
  const session = remote.cookie !== undefined;
  library.set(parameters, "credType", "int", session ? credentials.session : credentials.password);
  if (session) text("creds", remote.cookie, 0);
  text("creds", remote.user, session ? 1 : 0);
  text("creds", remote.password, session ? 2 : 1);
  library.set(parameters, "port", "uint32_t", remote.port);
  library.set(parameters, "nfcHostPort", "uint32_t", remote.nfcHostPort);
}

function freeParameters(library: Library, parameters: Pointer, texts: readonly CText[]): void {
  library.functions.FreeConnectParams(parameters);
  for (const { at, length } of texts) {
    library.c.wipe(at, length);
    library.c.free(at);
  }
}

function capacityOf(library: Library, handle: Pointer): bigint {
  const info = library.pointer("GetInfo", (out) => library.functions.GetInfo(handle, out));
  const capacity = BigInt(koffi.decode.uint64(info + CAPACITY));
  library.functions.FreeInfo(info);
  return capacity;
}

/** Some disks do not know what is allocated, local files among them: there is no way to find out but to ask. */
function knowsAllocation(library: Library, handle: Pointer, capacity: bigint): true | string {
  if (capacity < CHUNK) return "the disk is too small";
  try {
    const list = library.pointer("QueryAllocatedBlocks", (out) =>
      library.functions.QueryAllocatedBlocks(handle, 0n, BigInt(CHUNK), CHUNK, out),
    );
    library.functions.FreeBlockList(list);
    return true;
  } catch (error) {
    if (error instanceof VixFailure) return `${error.call}: ${error.message} (VIX error ${error.number & 0xffff})`;
    throw error;
  }
}
