// The types of blocks.mjs, for the tests.

/** A code block of the documentation. */
export interface Block {
  /** From the root of the tree. */
  readonly file: string;
  /** The line of its first line of code, from 1. */
  readonly line: number;
  /** `ts`, `sh`, `text` … */
  readonly language: string;
  /** What else stands after the fence: `run`, `continued`, `needs=nbdinfo,fio`. */
  readonly marks: readonly string[];
  readonly code: string;
  /** What a block that is run prints; `…` stands for anything. */
  readonly output: string | undefined;
}

export function pages(root: string): string[];
export function sources(root: string): string[];
export function blocksOf(root: string, file: string): Block[];
