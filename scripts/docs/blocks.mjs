// The code blocks of the documentation: of the pages, and of the doc comments in src/ and the packages. CONTRIBUTING.md says what their marks mean.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesUnder } from "../checks/files.mjs";

/** The pages that have code to be checked. @param {string} root @returns {string[]} */
export function pages(root) {
  return filesUnder(root, "").filter((file) =>
    /^(README|CONTRIBUTING)\.md$|^docs\/.*\.md$|^examples\/.*\.md$|^plugins\/[^/]+\/(?!etc\/).*\.md$/.test(file),
  );
}

/** The sources whose doc comments have code to be checked. @param {string} root @returns {string[]} */
export function sources(root) {
  return [...filesUnder(root, "src"), ...filesUnder(root, "plugins").filter((file) => /^plugins\/[^/]+\/src\//.test(file))].filter((file) =>
    file.endsWith(".ts"),
  );
}

/**
 * Reads the code blocks of a page or of a source's doc comments.
 *
 * @param {string} root
 * @param {string} file - from root
 */
export function blocksOf(root, file) {
  const text = readFileSync(join(root, file), "utf8");
  return blocksIn(file, text.split("\n"), file.endsWith(".md") ? /^/ : /^\s*\* ?/);
}

/** @param {string} file @param {readonly string[]} lines @param {RegExp} margin */
function blocksIn(file, lines, margin) {
  const blocks = [];
  let open;
  for (const [index, line] of lines.entries()) {
    const content = margin.test(line) ? line.replace(margin, "") : undefined;
    const fence = /^\s*```(.*)$/.exec(content ?? "")?.[1];
    if (open === undefined && fence !== undefined) {
      const [language = "", ...marks] = fence.trim().split(/\s+/);
      open = { file, line: index + 2, language, marks, lines: [] };
    } else if (open !== undefined && fence !== undefined) {
      const { lines: code, ...block } = open;
      blocks.push({ ...block, code: code.join("\n"), output: undefined });
      open = undefined;
    } else if (open !== undefined && content !== undefined) {
      open.lines.push(content);
    }
  }
  if (open !== undefined) throw new Error(`${file}:${open.line - 1}: this code block does not end`);
  return withOutput(blocks);
}

/** A `text` block right after a block that is run is what it prints. */
function withOutput(blocks) {
  return blocks.map((block, index) => {
    const next = blocks[index + 1];
    const follows = next !== undefined && next.language === "text" && next.line - (block.line + block.code.split("\n").length) <= 3;
    return block.marks.includes("run") && follows ? { ...block, output: next.code } : block;
  });
}
