// A link from one page of the documentation to another, or to a file, leads somewhere.

import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { pages } from "../docs/blocks.mjs";

/** Finds links to files and headings that are not there. @param {string} root @returns {string[]} sentences */
export function links(root) {
  return [...pages(root), "CHANGELOG.md"].filter((page) => existsSync(join(root, page))).flatMap((page) => checkPage(root, page));
}

/** @param {string} root @param {string} page */
function checkPage(root, page) {
  const lines = prose(readFileSync(join(root, page), "utf8")).split("\n");
  return lines.flatMap((line, index) =>
    [...line.matchAll(/\]\(([^()\s]+)\)/g)]
      .filter(([, target]) => !/^[a-z]+:/.test(target) && !leadsSomewhere(root, page, target))
      .map(([, target]) => `${page}:${index + 1} links to ${target}, which is not there`),
  );
}

/** @param {string} root @param {string} page @param {string} target */
function leadsSomewhere(root, page, target) {
  const [path, heading] = target.split("#");
  const file = path === "" ? page : posix.join(posix.dirname(page), path);
  if (!existsSync(join(root, file))) return false;
  return heading === undefined || headings(readFileSync(join(root, file), "utf8")).includes(heading);
}

/** The names that GitHub gives to headings. @param {string} text */
function headings(text) {
  return [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** The text without its code. @param {string} text */
function prose(text) {
  return text.replace(/^```[\s\S]*?^```/gm, (code) => code.replace(/[^\n]/g, "")).replace(/`[^`\n]*`/g, (code) => " ".repeat(code.length));
}
