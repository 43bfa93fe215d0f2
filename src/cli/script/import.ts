// Importing a script: with what it needs to be TypeScript on a Node.js that knows none, and with this package to be found from anywhere.

import { statSync } from "node:fs";
import nodeModule, { createRequire } from "node:module";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { runChild } from "../../common/child.ts";
import { errorCode, errorText } from "../../contract/error.ts";
import { hooks } from "./hooks.ts";
import { findTranspiler, knowsTypeScript, type Transpiler } from "./transpiler.ts";
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
  addHooks(isTypeScript && !knowsTypeScript() ? findTranspiler(name, path) : undefined);
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    const text = error instanceof SyntaxError ? await syntaxError(error, path) : located(error, path);
    throw new Error(`${name}: ${text}`, { cause: error });
  }
}

/** Has imports answered by us where Node.js does not know what to do. */
function addHooks(transpiler: Transpiler | undefined): void {
  const own = ownModules();
  // From Node.js 26 on the older way is deprecated; the newer one, from 22.15 on, has no need of a thread.
  if (transpiler === undefined && registerHooks !== undefined) registerHooks({ resolve: resolver(own) });
  else nodeModule.register(hooks, { data: { own, transpiler } });
}

type Resolve = (specifier: string, context: unknown, next: (specifier: string, context: unknown) => unknown) => unknown;

/** What @types/node for Node.js 20 does not know. */
const { registerHooks } = nodeModule as { readonly registerHooks?: (hooks: { readonly resolve: Resolve }) => unknown };

function resolver(own: Readonly<Record<string, string>>): Resolve {
  return (specifier, context, next) => {
    try {
      return next(specifier, context);
    } catch (error) {
      if (errorCode(error) !== "ERR_MODULE_NOT_FOUND" || !Object.hasOwn(own, specifier)) throw error;
      return { url: own[specifier], shortCircuit: true };
    }
  };
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

/** Node.js tells the line of a syntax error above the stack; where it does not, as of an import, it does when it is asked to check the file. */
async function syntaxError(error: SyntaxError, path: string): Promise<string> {
  const text = errorText(error);
  if (text.includes("(at ")) return text;
  const place = placeAbove(error.stack) ?? placeAbove((await runChild(process.execPath, ["--check", path], { timeout: 10_000 })).stderr);
  return place === undefined ? text : `${text} (at ${place})`;
}

function placeAbove(stack = ""): string | undefined {
  return /^(?:file:\/\/)?((?:\/|[A-Za-z]:).*:\d+)$/m.exec(stack)?.[1];
}
