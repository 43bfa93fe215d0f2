// What turns TypeScript into JavaScript where Node.js itself does not: a package of the user's.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** A package that transpiles. */
export interface Transpiler {
  readonly name: "esbuild" | "typescript";
  /** Where it is. */
  readonly url: string;
}

/** Whether Node.js takes TypeScript as it is: from 22.18 and 23.6 on. */
export function knowsTypeScript(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript);
}

/**
 * Looks for esbuild, also tsx's, and for typescript: beside the script, and in the folder that the command is run in.
 *
 * @throws Error that names the choices when there is none
 */
export function findTranspiler(name: string, path: string): Transpiler {
  for (const from of [path, join(process.cwd(), "any.js")]) {
    const tsx = resolve("tsx/package.json", from);
    const esbuild = resolve("esbuild", from) ?? (tsx && resolve("esbuild", tsx));
    if (esbuild !== undefined) return { name: "esbuild", url: pathToFileURL(esbuild).href };
    const typescript = resolve("typescript", from);
    if (typescript !== undefined) return { name: "typescript", url: pathToFileURL(typescript).href };
  }
  throw new Error(
    `${name}: Node.js ${process.versions.node} does not run TypeScript. Use Node.js 22.18 or later, install esbuild, tsx or typescript (npm i -D esbuild), or write it in JavaScript`,
  );
}

function resolve(specifier: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(specifier);
  } catch {
    return undefined;
  }
}
