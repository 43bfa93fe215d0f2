// What Node.js asks while it imports a script. It asks in a thread of its own, so this is a module in a URL: it is neither built nor type-checked.

const SOURCE = `
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

let own = {};
let transpile;

export async function initialize(data) {
  own = data.own;
  if (data.transpiler === undefined) return;
  const loaded = await import(data.transpiler.url);
  transpile = transpilers[data.transpiler.name](loaded.default ?? loaded);
}

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code === "ERR_MODULE_NOT_FOUND" && Object.hasOwn(own, specifier)) return { url: own[specifier], shortCircuit: true };
    throw error;
  }
}

export async function load(url, context, next) {
  if (transpile === undefined || !/^file:.*\\.m?ts$/.test(url) || url.includes("/node_modules/")) return next(url, context);
  const path = fileURLToPath(url);
  return { format: "module", source: transpile(await readFile(path, "utf8"), path), shortCircuit: true };
}

// As Node.js does it: types are taken away, imports stay as they are.
const transpilers = {
  esbuild: ({ transformSync }) => (source, path) => {
    const options = { loader: "ts", format: "esm", target: "node" + process.versions.node, sourcemap: "inline", sourcefile: path, logLevel: "silent" };
    try {
      return transformSync(source, { ...options, tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } } }).code;
    } catch (error) {
      const [first] = error.errors ?? [];
      if (!first?.location) throw error;
      throw new SyntaxError(first.text + " (at " + path + ":" + first.location.line + ":" + (first.location.column + 1) + ")");
    }
  },
  typescript: (ts) => (source, path) => {
    const compilerOptions = {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
      inlineSources: true,
    };
    const { outputText, diagnostics } = ts.transpileModule(source, { fileName: path, reportDiagnostics: true, compilerOptions });
    const [first] = diagnostics ?? [];
    if (first === undefined) return outputText;
    const { line, character } = first.file.getLineAndCharacterOfPosition(first.start);
    const text = ts.flattenDiagnosticMessageText(first.messageText, " ");
    throw new SyntaxError(text + " (at " + path + ":" + (line + 1) + ":" + (character + 1) + ")");
  },
};
`;

/** The module, as a URL. */
export const hooks: string = `data:text/javascript,${encodeURIComponent(SOURCE)}`;
