// Importing a script: with what it needs to be TypeScript on a Node.js that knows none, and with this package to be found from anywhere.

import { statSync } from "node:fs";
import { createRequire, register } from "node:module";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { runChild } from "../../common/child.ts";
import { errorText } from "../../contract/error.ts";
import { hooks } from "./hooks.ts";
import { findTranspiler, knowsTypeScript } from "./transpiler.ts";
import { located } from "./where.ts";

/**
 * Imports a script.
 *
 * @param name - what the user calls it
 * @param path - where it is
 * @throws Error that says where in the script it went wrong
 */
export async function importScript(name: string, path: string): Promise<unknown> {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) throw new Error(`${name}: there is no such file`);
  const isTypeScript = /^\.m?ts$/.test(extname(path));
  // Stacks then speak of the lines that the author wrote.
  if (isTypeScript) process.setSourceMapsEnabled(true);
  register(hooks, { data: { own: ownModules(), transpiler: isTypeScript && !knowsTypeScript() ? findTranspiler(name, path) : undefined } });
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    const text = error instanceof SyntaxError ? await syntaxError(error, path) : located(error, path);
    throw new Error(`${name}: ${text}`, { cause: error });
  }
}

/** A script that is not in a project can still import this package: the one that runs it. */
function ownModules(): Readonly<Record<string, string>> {
  const { resolve } = createRequire(import.meta.url);
  const specifiers = ["diskwright", "diskwright/command", "diskwright/testing"];
  return Object.fromEntries(
    specifiers.flatMap((specifier) => {
      try {
        return [[specifier, pathToFileURL(resolve(specifier)).href]];
      } catch {
        return [];
      }
    }),
  );
}

/** An import does not tell the line of a syntax error; Node.js does when it is asked to check the file. */
async function syntaxError(error: SyntaxError, path: string): Promise<string> {
  const { code, stderr } = await runChild(process.execPath, ["--check", path], { timeout: 10_000 });
  const line = /^(?:file:\/\/)?(\S.*):(\d+)$/m.exec(stderr)?.[2];
  return code === 0 || line === undefined ? errorText(error) : `${errorText(error)} (at ${path}:${line})`;
}
