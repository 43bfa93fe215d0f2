// The tree says nothing of the machine it was written on: no absolute paths of a checkout or a home directory.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { filesUnder } from "./files.mjs";

const homes = String.raw`/(?:home|Users)/[A-Za-z][\w-]*/|/roo[t]/|[A-Z]:\\+Users\\`;

/** Finds lines that name a path of one machine. @param {string} root @returns {string[]} sentences */
export function paths(root) {
  const here = [resolve(root), homedir()].filter((path) => path.split(/[\\/]/).length > 2).map((path) => `${escaped(path)}(?![\\w-])`);
  const pattern = new RegExp(String.raw`(?<![\w.-])(?:${[homes, ...here].join("|")})`);
  return filesUnder(root, "").flatMap((file) => {
    const text = readFileSync(join(root, file), "latin1");
    if (text.includes("\0")) return [];
    return text.split("\n").flatMap((line, index) => {
      const found = pattern.exec(line)?.[0];
      return found === undefined ? [] : [`${file}:${index + 1} names a path of one machine: ${found}`];
    });
  });
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[^\w/]/g, "\\$&");
}
