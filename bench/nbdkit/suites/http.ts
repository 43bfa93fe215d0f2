// The http plugin: a file on an nginx on loopback, and a compressed image there. nbdkit's plugin is called curl, and so is ours by its name.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { commandRow, fioRow } from "../rows.ts";
import type { Place, Suite } from "../suite.ts";
import { writeImage } from "./image.ts";

const MEBIBYTES = 512;
const COMPRESSED = 96;

/** The port of the nginx that runs for this process. */
let port = 0;

const url = (name: string): string => `http://127.0.0.1:${port}/${name}`;

export const httpSuite: Suite = {
  name: "http",
  what: () => `A file of ${MEBIBYTES} MiB on an nginx with one worker, on loopback`,
  rows: [
    commandRow({ name: "nbdcopy to nowhere", command: 'nbdcopy "$uri" null:', bytes: MEBIBYTES * 2 ** 20, target: 1.2 }),
    fioRow({ rw: "read", block: "256k", depth: 8, unit: "MiB/s", target: 1.2 }),
    fioRow({ rw: "read", block: "4k", depth: 1, unit: "IOPS", target: 1.2 }),
    fioRow({ rw: "randread", block: "64k", depth: 8, unit: "IOPS", target: 1.2 }),
    fioRow({ rw: "randread", block: "4k", depth: 32, unit: "IOPS", target: 1.2 }),
    fioRow({ rw: "randread", block: "4k", depth: 1, unit: "IOPS", target: 0.7 }),
  ],
  serve: () => ["curl", url("disk")],
  async prepare(place) {
    writeImage(join(await webServer(place), "disk"), MEBIBYTES);
  },
};

export const httpXzSuite: Suite = {
  name: "http-xz",
  what: () => `An image of ${COMPRESSED} MiB, compressed by xz -2 --block-size=4MiB, on an nginx`,
  rows: [
    commandRow({ name: "nbdcopy to nowhere", command: 'nbdcopy "$uri" null:', bytes: COMPRESSED * 2 ** 20, target: 1.2 }),
    fioRow({ rw: "read", block: "256k", depth: 8, unit: "MiB/s", target: 1.2 }),
    fioRow({ rw: "randread", block: "4k", depth: 8, unit: "IOPS", target: 1.2 }),
  ],
  serve: () => ["--filter=xz", "curl", url("disk.xz")],
  async prepare(place) {
    const root = await webServer(place);
    const image = join(root, "image");
    writeImage(image, COMPRESSED);
    execFileSync("xz", ["-2", "-T0", "--block-size=4MiB", image]);
    renameSync(`${image}.xz`, join(root, "disk.xz"));
  },
};

/** Starts an nginx that ends with this process; answers the folder that it serves. */
async function webServer({ shared }: Place): Promise<string> {
  const root = join(shared, "root");
  mkdirSync(root, { recursive: true });
  port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${join(shared, name)};`)
    .join(" ");
  writeFileSync(
    join(shared, "nginx.conf"),
    `${process.getuid?.() === 0 ? "user root; " : ""}daemon off; worker_processes 1; pid ${join(shared, "pid")}; events { worker_connections 512; }
http { access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; root ${root}; ${temporary}
  server { listen 127.0.0.1:${port}; } }\n`,
  );
  const child = spawn("nginx", ["-p", shared, "-c", join(shared, "nginx.conf"), "-e", join(shared, "error.log")], { stdio: "inherit" });
  process.once("exit", () => child.kill());
  child.unref();
  await listening();
  return root;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return free;
}

async function listening(): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const socket = connect(port, "127.0.0.1");
    const answers = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (answers) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("nginx does not listen after 5 seconds");
}
