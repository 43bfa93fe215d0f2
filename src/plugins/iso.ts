// The iso plugin: folders as a CD-ROM, made by one of the programs for that when the plugin starts.

import { fstatSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { runChild } from "../common/child.ts";
import { errorCode, errorText } from "../contract/error.ts";
import { failAfter } from "../contract/every-step.ts";
import type { Plugin } from "../contract/plugin.ts";
import { file } from "./file.ts";
import { type ImageFile, openImageFile } from "./iso/image-file.ts";

/** How {@link iso} makes the image. */
export interface IsoOptions {
  /** Further arguments of the program, those of mkisofs: `["-JrT", "-V", "My Disk"]`. Default: none. */
  readonly params?: readonly string[];
  /** The program, by its path or as it is found on the PATH. Default: the first of xorriso, genisoimage and mkisofs that is there. */
  readonly program?: string;
}

/**
 * Folders as a read-only CD-ROM (ISO 9660). What is in them is at the root of the disk; several folders are merged. The image is made by xorriso,
 * genisoimage or mkisofs when the plugin starts, in a temporary file in `TMPDIR` or /var/tmp, which is gone with the plugin.
 *
 * Without parameters names are cut to the few characters of plain ISO 9660: `-J` (Joliet) and `-r` (Rock Ridge) keep them.
 *
 * @param folders - a folder, or several
 * @throws TypeError when an argument is not what it should be. Starting fails when there is no such folder or program, or the program does
 * @example
 * ```ts
 * await using server = await serve(iso("/boot", { params: ["-JrT", "-V", "boot"] }));
 * ```
 */
export function iso(folders: string | readonly string[], options: IsoOptions = {}): Plugin {
  const { params = [], program } = options;
  const paths = (typeof folders === "string" ? [folders] : folders) as readonly string[] | undefined;
  if (!isTexts(paths) || paths.length === 0 || paths.includes("")) throw new TypeError("iso: expected the path of a folder, or several");
  if (!isTexts(params)) throw new TypeError("iso: params: expected a list of arguments");
  if (program !== undefined && (typeof program !== "string" || program === ""))
    throw new TypeError(`iso: program ${JSON.stringify(program)}: expected the name of a program, or a path`);
  const from = paths.map((path) => resolve(path));
  let image: ImageFile | undefined;
  return {
    name: "iso",
    async start({ signal }) {
      for (const path of from) await checkFolder(path);
      const made = openImageFile();
      try {
        await make(program, [...params, ...from], made.fd, signal);
      } catch (error) {
        await failAfter(error, made.close);
      }
      image = made;
    },
    open(request) {
      if (image === undefined) throw new Error("iso has not been started");
      return file({ fd: image.fd }).open({ ...request, readonly: true });
    },
    close() {
      image?.close();
      image = undefined;
    },
  };
}

/** The first that is there is taken. */
const programs: readonly string[] = ["xorriso", "genisoimage", "mkisofs"];

async function make(program: string | undefined, args: readonly string[], output: number, signal: AbortSignal): Promise<void> {
  let found = false;
  for (const candidate of program === undefined ? programs : [program]) {
    // xorriso is another program unless it is told to be this one.
    const role = basename(candidate) === "xorriso" ? ["-as", "mkisofs"] : [];
    try {
      const { code, signal: killed, stderr } = await runChild(candidate, [...role, "-quiet", ...args], { output, signal });
      const how = killed === null ? `it ended with exit code ${code}` : `it was ended by ${killed}`;
      if (code !== 0) throw new Error(`iso: ${candidate}: ${how}\n${stderr}`.trimEnd());
      found = true;
      // xorriso makes nothing of folders without files; the others make an image that is empty.
      if (fstatSync(output).size > 0) return;
    } catch (error) {
      if (errorCode(error) !== "ENOENT" || program !== undefined || signal.aborted) throw error;
    }
  }
  if (!found) throw new Error(`iso: there is none of ${programs.join(", ")} on the PATH: install one of them, or say which program it is`);
}

async function checkFolder(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch (error) {
    throw new Error(`iso: ${path}: ${errorCode(error) === "ENOENT" ? "there is no such folder" : errorText(error)}`, { cause: error });
  }
  throw new Error(`iso: ${path}: it is no folder`);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string" && !each.includes("\0"));
}
