// The TypeScript in the documentation compiles against what was built, as a reader's copy of it would.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { blocksOf, pages, sources } from "../docs/blocks.mjs";
import { filesUnder } from "./files.mjs";

const options = {
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ["node"],
  allowImportingTsExtensions: true,
  strict: true,
  noEmit: true,
  skipLibCheck: true,
};
/** What examples may use without saying where it comes from, beside what we export. */
const wellKnown = new Map([
  ["test", 'import { test } from "node:test";'],
  ["describe", 'import { describe } from "node:test";'],
  ["assert", 'import assert from "node:assert/strict";'],
]);
const entryPoints = { diskwright: "dist/index.d.ts", "diskwright/testing": "dist/testing.d.ts", "diskwright/command": "dist/command.d.ts" };

/** Finds the examples, in the pages and in the doc comments, that do not compile. @param {string} root @returns {string[]} sentences */
export function docs(root) {
  const base = resolve(root);
  const names = publicNames(base);
  if (names.size === 0) return ["dist/index.d.ts is missing: npm run build"];
  const blocks = [...pages(base), ...sources(base)].flatMap((file) => joined(blocksOf(base, file)));
  const modules = new Map(blocks.map((block, index) => [join(base, `documentation-example-${index}.ts`), moduleOf(base, names, block)]));
  // Sources may count on them without importing them.
  const ambient = filesUnder(base, "plugins").filter((file) => /^plugins\/[^/]+\/src\/.*\.d\.ts$/.test(file));
  return diagnose(
    modules,
    ambient.map((file) => join(base, file)),
  );
}

/** The TypeScript of a file; a `continued` block begins with all that stood before it. */
function joined(blocks) {
  let before = "";
  return blocks
    .filter(({ language }) => language === "ts")
    .map((block) => {
      const code = block.marks.includes("continued") ? `${before}\n${block.code}` : block.code;
      before = code;
      return { ...block, code, line: block.line - (lines(code) - lines(block.code)) };
    });
}

/** The names that the entry points export, and the entry point of each. */
function publicNames(base) {
  const present = Object.entries(entryPoints).filter(([, file]) => existsSync(join(base, file)));
  const program = createProgram(present.map(([, file]) => join(base, file)));
  const checker = program.getTypeChecker();
  return new Map(
    present.flatMap(([specifier, file]) => {
      const module = checker.getSymbolAtLocation(program.getSourceFile(join(base, file)));
      return module === undefined ? [] : checker.getExportsOfModule(module).map(({ name }) => [name, specifier]);
    }),
  );
}

/** The block as a module: what it uses and does not import or declare is provided in front of it, where we know what it is. */
function moduleOf(base, names, block) {
  const own = block.file.endsWith(".ts") ? exportedBy(join(base, block.file)) : new Set();
  const provide = (name) => {
    if (names.has(name)) return `import { ${name} } from "${names.get(name)}";`;
    if (own.has(name)) return `import { ${name} } from "./${block.file}";`;
    // What is the reader's own may be anything.
    return /^my[A-Z]/.test(name) ? `declare const ${name}: any;` : wellKnown.get(name);
  };
  const { used, declared } = namesIn(block.code);
  const provided = [...used].filter((name) => !declared.has(name)).map(provide);
  const prelude = `export {}; ${provided.filter((line) => line !== undefined).join(" ")} `;
  return { block, text: prelude + block.code, shift: prelude.length };
}

/** The identifiers of some code, and those of them that it imports or declares at its top. */
function namesIn(code) {
  const used = new Set();
  const declared = new Set();
  const declare = (name) => {
    if (ts.isIdentifier(name)) declared.add(name.text);
    else for (const element of name.elements) if (element.name !== undefined) declare(element.name);
  };
  const visit = (node) => {
    if (ts.isIdentifier(node)) used.add(node.text);
    if (declaresAtTop(node) && node.name !== undefined) declare(node.name);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("block.ts", code, ts.ScriptTarget.ES2023, true));
  return { used, declared };
}

function declaresAtTop(node) {
  if (ts.isImportSpecifier(node) || ts.isImportClause(node) || ts.isNamespaceImport(node)) return true;
  if (ts.isVariableDeclaration(node)) return ts.isSourceFile(node.parent.parent.parent);
  const declares = [ts.isFunctionDeclaration, ts.isClassDeclaration, ts.isInterfaceDeclaration, ts.isTypeAliasDeclaration];
  return declares.some((is) => is(node)) && ts.isSourceFile(node.parent);
}

/** The names that a source exports by a declaration. */
function exportedBy(path) {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2023, true);
  const exported = source.statements.filter((statement) => statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword));
  return new Set(exported.flatMap((statement) => (statement.declarationList?.declarations ?? [statement]).map(({ name }) => name.text)));
}

function diagnose(modules, ambient) {
  const program = createProgram([...modules.keys(), ...ambient], modules);
  const problems = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, " ");
    const module = modules.get(diagnostic.file?.fileName);
    if (module === undefined) return text;
    const line = module.block.line + lines(module.text.slice(module.shift, Math.max(diagnostic.start, module.shift))) - 1;
    return `${module.block.file}:${line}: ${text}`;
  });
  return [...new Set(problems)];
}

/** Sources that do not change while this process runs: those of the language and of packages. */
const libraries = new Map();

function createProgram(rootNames, modules = new Map()) {
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.fileExists = (name) => modules.has(name) || fileExists(name);
  host.readFile = (name) => modules.get(name)?.text ?? readFile(name);
  host.getSourceFile = (name, ...rest) => {
    const source = libraries.get(name) ?? getSourceFile(name, ...rest);
    if (name.includes("/node_modules/")) libraries.set(name, source);
    return source;
  };
  return ts.createProgram(rootNames, options, host);
}

/** @param {string} text */
function lines(text) {
  return text.split("\n").length;
}
