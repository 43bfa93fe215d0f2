// Exported as "@diskwright/vddk/command": what `diskwright serve vddk` finds. The keys are nbdkit's, and `isolated` and `timeout`.

import { type PluginEntry, pluginEntry } from "diskwright/command";
import { DEFAULT_LIBDIRS, locate } from "./engine/locate.ts";
import {
  type AdapterType,
  adapterTypes,
  type Compression,
  type CreateOptions,
  type CreateType,
  compressions,
  createTypes,
  type HardwareVersion,
  hardwareVersions,
} from "./options.ts";
import { vddk } from "./vddk.ts";

/** The plugins of this package, as the command line has them. */
export const plugins: readonly PluginEntry[] = [
  pluginEntry({
    name: "vddk",
    summary: "VMware's disks, through VMware's library: .vmdk files, ESXi and vCenter",
    keys: {
      file: { type: "string", magic: true, required: true, help: 'A local file, or "[datastore] folder/disk.vmdk"' },
      libdir: { type: "path", default: DEFAULT_LIBDIRS[0] as string, help: "Folder of VMware's distribution" },
      config: { type: "path", help: "A configuration file of the library's" },
      server: { type: "string", help: "ESXi host or vCenter" },
      vm: { type: "string", help: "The virtual machine: moref=vm-16" },
      user: { type: "string", help: "Who to log in as" },
      password: { type: "secret", help: "The password" },
      cookie: { type: "secret", help: "The cookie of a session, instead of logging in" },
      thumbprint: { type: "string", help: "SHA-1 fingerprint of the server's certificate" },
      snapshot: { type: "string", help: "Reference of a snapshot" },
      transports: { type: "string", help: "Ways to get at the disk: hotadd:nbdssl" },
      port: { type: "integer", default: "443", help: "Port of the server" },
      nfchostport: { type: "integer", default: "902", help: "Port for data of the ESXi host" },
      compression: {
        type: "choice",
        values: Object.keys(compressions) as Compression[],
        default: "none",
        help: "Between library and server",
      },
      "single-link": { type: "boolean", default: "false", help: "Only the last link of a chain" },
      unbuffered: { type: "boolean", default: "false", help: "The host does not cache" },
      create: { type: "boolean", default: "false", help: "Make a new local file" },
      "create-size": { type: "size", help: "Its size" },
      "create-type": {
        type: "choice",
        values: Object.keys(createTypes) as CreateType[],
        default: "monolithic-sparse",
        help: "Its layout",
      },
      "create-adapter-type": {
        type: "choice",
        values: Object.keys(adapterTypes) as AdapterType[],
        default: "scsi-buslogic",
        help: "The adapter that it says it is at",
      },
      "create-hwversion": {
        type: "choice",
        values: Object.keys(hardwareVersions) as HardwareVersion[],
        default: "workstation5",
        help: "The oldest product that understands it",
      },
      isolated: { type: "boolean", default: "true", help: "Run the library in processes of its own" },
      timeout: { type: "duration", default: "120", help: "How long a call of the library may take" },
      vimapiver: { type: "string", help: "Ignored, as by nbdkit" },
    },
    create({ file, create = false, vimapiver: _, nfchostport, "single-link": singleLink, ...keys }) {
      const {
        "create-size": size,
        "create-type": type,
        "create-adapter-type": adapterType,
        "create-hwversion": hwVersion,
        ...options
      } = keys;
      if (create && size === undefined) throw new Error("create=true needs create-size=");
      if (!create && size !== undefined) throw new Error("create-size= is for create=true");
      const made = create && ({ size, type, adapterType, hwVersion } as unknown as CreateOptions);
      return vddk(
        file,
        given({
          ...options,
          singleLink,
          nfcHostPort: nfchostport,
          create: made ? given(made) : undefined,
        }),
      );
    },
    dump({ parameters }) {
      const libdir = parameters.findLast(({ key }) => key === "libdir")?.value;
      const located = locate(libdir === undefined ? DEFAULT_LIBDIRS : [libdir]);
      const found = located === undefined ? [] : [`vddk_library_version=${located.major}`, `vddk_dll=${located.file}`];
      return [`vddk_default_libdir=${DEFAULT_LIBDIRS[0]}`, "vddk_has_nfchostport=1", ...found, ""].join("\n");
    },
  }),
];

/** The same options, where those that are `undefined` are not there. */
type Given<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Without the options that were not given. */
function given<T extends object>(options: T): Given<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as unknown as Given<T>;
}
