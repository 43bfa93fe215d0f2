// The plugin: VMware's disks, through VMware's library.

import { DiskError, type OpenRequest, type Plugin, readSecret } from "diskwright";
import { connectionTo } from "./disk/connection.ts";
import { DEFAULT_LIBDIRS, type Located, locate } from "./engine/locate.ts";
import { openInProcess } from "./host/process.ts";
import { openInThreads } from "./host/threads.ts";
import type { OpenSpec } from "./jobs.ts";
import { type Settings, toSettings, type VddkOptions } from "./options.ts";

/**
 * A disk of VMware's: a local `.vmdk` file, or a virtual machine's disk on an ESXi host or vCenter. It is read and written by VMware's own library,
 * libvixDiskLib of the Virtual Disk Development Kit (6.7 or later, Linux), which is not part of this package: get it from Broadcom and say where it is.
 *
 * Sectors have 512 bytes; requests for parts of one work, and cost reading it first when they write. The library runs in a process of its own for each
 * open disk, unless `isolated` is false. What it says goes to the channel `diskwright:vddk.log` of node:diagnostics_channel ({@link VddkMessage}), and to
 * standard error with `NODE_DEBUG=diskwright-vddk`.
 *
 * @param file - a local file, or `[datastore] folder/disk.vmdk`
 * @throws DiskError EINVAL when an option is not what it should be; on starting, ENOENT when the library is not there; on opening, what the library
 * refuses with its own text (EACCES, ENOENT, EBUSY …), ETIMEDOUT when it takes longer than `timeout`
 * @example A local file
 * ```ts
 * const local = vddk("/images/disk.vmdk", { libdir: "/opt/vmware-vix-disklib-distrib" });
 * ```
 * @example A snapshot of a disk on vCenter
 * ```ts
 * const remote = vddk("[datastore1] web/web.vmdk", {
 *   libdir: "/opt/vmware-vix-disklib-distrib",
 *   server: "vcenter.example.com",
 *   user: "backup@vsphere.local",
 *   password: () => myKeyring("vcenter"),
 *   thumbprint: "B2:31:BD:DE:9F:DB:9D:E0:78:EF:30:42:8A:41:B0:28:92:93:C8:DD",
 *   vm: "vm-16",
 *   snapshot: "snapshot-42",
 *   transports: "hotadd:nbdssl",
 * });
 * ```
 */
export function vddk(file: string, options: VddkOptions = {}): Plugin {
  const settings = toSettings(file, options);
  let located: Located | undefined;
  let created = false;

  return {
    name: "vddk",
    start() {
      located = find(settings);
    },
    async open(request: OpenRequest) {
      located ??= find(settings);
      const { readonly, signal } = request;
      const create = created ? undefined : settings.create;
      if (create !== undefined && readonly)
        throw new DiskError("EROFS", `${settings.file} is to be created, and cannot be: the disk is opened read-only`);
      const spec = await withSecrets(settings, { ...settings.spec(readonly), ...(create && { create }) });
      const { config, timeout, isolated, singleLink } = settings;
      const host = await (isolated ? openInProcess : openInThreads)({ located, config, timeout, signal }, spec);
      created = true;
      return connectionTo(host, { file: settings.file, readonly, singleLink, signal });
    },
  };
}

function find({ libdir }: Settings): Located {
  if (process.platform !== "linux") throw new DiskError("ENOTSUP", `vddk works with the VDDK for Linux, and this is ${process.platform}`);
  const libdirs = libdir === undefined ? DEFAULT_LIBDIRS : [libdir];
  const located = locate(libdirs);
  if (located !== undefined) return located;
  const where = libdirs.map((each) => `${each}/lib64`).join(" or ");
  throw new DiskError(
    "ENOENT",
    `there is no libvixDiskLib.so.6 or later in ${where}: get VMware's VDDK for Linux, and say with libdir where its folder vmware-vix-disklib-distrib is`,
  );
}

/** Fetches what is secret at the last moment, anew for each client. */
async function withSecrets({ password, cookie }: Settings, spec: OpenSpec): Promise<OpenSpec> {
  if (spec.remote === undefined) return spec;
  const remote = {
    ...spec.remote,
    ...(password !== undefined && { password: await readSecret(password, "option password") }),
    ...(cookie !== undefined && { cookie: await readSecret(cookie, "option cookie") }),
  };
  return { ...spec, remote };
}
