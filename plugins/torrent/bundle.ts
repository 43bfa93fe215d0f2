// Bundling webtorrent: without what would have to be compiled or downloaded, and with the licences of all that is in the bundle.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Options } from "tsup";

type Plugin = NonNullable<Options["esbuildPlugins"]>[number];

/** What stands in the place of packages with native code. webtorrent does without them, and takes note of it. */
const stubs: Readonly<Record<string, string>> = {
  // WebRTC, for peers in browsers.
  "webrtc-polyfill":
    "export const RTCPeerConnection = undefined; export const RTCSessionDescription = undefined; export const RTCIceCandidate = undefined;",
  // µTP. An empty object means that there is none; a failure to load would be printed.
  "utp-native": "module.exports = {};",
  // Masks of WebSocket frames.
  bufferutil: "throw new Error('not bundled');",
  "utf-8-validate": "throw new Error('not bundled');",
};

/** Puts stubs in the place of native code, and refuses to bundle any other. */
export const leaveOutNative: Plugin = {
  name: "leave-out-native",
  setup(build) {
    const names = new RegExp(`^(${Object.keys(stubs).join("|")})$`);
    build.onResolve({ filter: names }, ({ path }) => ({ path, namespace: "stub" }));
    build.onLoad({ filter: /./, namespace: "stub" }, ({ path }) => ({ contents: stubs[path] as string }));
    build.onResolve({ filter: /\.node$/ }, ({ path, importer }) => ({
      errors: [{ text: `${path} is native code: ${importer} cannot be bundled` }],
    }));
    // webtorrent says of itself what it is to trackers; we say so too unless the user says otherwise.
    build.onLoad({ filter: /webtorrent[/\\]lib[/\\]torrent\.js$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      const changed = source.replace("userAgent: USER_AGENT,", "userAgent: this.client.tracker?.userAgent ?? USER_AGENT,");
      if (changed === source) throw new Error(`${path} is not the version that is known: where is the userAgent of its trackers?`);
      return { contents: changed, loader: "js" };
    });
  },
};

/**
 * Writes the licences of all packages that are in the bundle beside it. A package without one, or with one that asks for more than to be named,
 * ends the build.
 */
export function bundledLicenses(fileName: string): Plugin {
  return {
    name: "bundled-licenses",
    setup(build) {
      build.initialOptions.metafile = true;
      build.onEnd(({ metafile, errors }) => {
        if (metafile === undefined || errors.length > 0) return;
        const folders = new Set(Object.keys(metafile.inputs).flatMap((input) => packageFolder(input) ?? []));
        const texts = [...folders].map(licenseOf).sort();
        const head = `worker.js contains these ${texts.length} packages, with thanks to their authors.\n`;
        writeFileSync(join(build.initialOptions.outdir ?? "dist", fileName), [head, ...texts].join(`\n${"-".repeat(80)}\n\n`));
      });
    },
  };
}

const permissive = /^\(?(MIT|ISC|0BSD|BSD(-[23]-Clause)?|Apache-2\.0|Unlicense|CC0-1\.0|BlueOak-1\.0\.0)\b/;

function packageFolder(input: string): string | undefined {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
}

function licenseOf(folder: string): string {
  const { name, version, license, licenses, author, repository } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const named: unknown = license?.type ?? license ?? licenses?.[0]?.type;
  if (typeof named !== "string" || !permissive.test(named)) throw new Error(`${name} has the license ${named}: may it be bundled?`);
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying|unlicense)/i.test(entry));
  const by = typeof author === "string" ? author : author?.name;
  const from = typeof repository === "string" ? repository : repository?.url;
  const head = [`${name} ${version} (${named})`, by && `by ${by}`, from].filter(Boolean).join("\n");
  return file === undefined ? `${head}\n` : `${head}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
}
