// What an expression of the data plugin consists of once it is read, and where in the text each part stands.

import { DiskError } from "../../contract/error.ts";

/** A text that is read: the expression itself, or a variable's value. */
export interface Source {
  readonly text: string;
  /** What errors call it: nothing, or ` of $name`. */
  readonly name: string;
}

/** A position in a text. */
export interface Place {
  readonly source: Source;
  readonly index: number;
}

/** Something that makes bytes. */
export type Expression =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly path: string; readonly place: Place }
  | { readonly kind: "script"; readonly script: string; readonly place: Place }
  | { readonly kind: "name"; readonly name: string; readonly place: Place }
  | { readonly kind: "variable"; readonly name: string; readonly place: Place }
  | { readonly kind: "repeat"; readonly of: Expression; readonly times: bigint; readonly place: Place }
  | { readonly kind: "slice"; readonly of: Expression; readonly start: bigint; readonly end: bigint | undefined; readonly place: Place }
  | Group;

/** Expressions one after the other, in a scope of their own. */
export interface Group {
  readonly kind: "group";
  readonly items: readonly Item[];
  readonly place: Place;
}

/** What may stand in a group. */
export type Item =
  | Expression
  /** `@N`, `@+N`, `@-N`, `@^N`: where the next byte goes. */
  | { readonly kind: "move"; readonly how: "@" | "@+" | "@-" | "@^"; readonly by: bigint; readonly place: Place }
  /** `expression -> \name`. */
  | { readonly kind: "assign"; readonly of: Expression; readonly name: string };

/** An error that says where in the text it is. */
export function errorAt({ source, index }: Place, what: string): DiskError {
  const before = source.text.slice(0, index);
  const line = before.split("\n").length;
  const column = index - before.lastIndexOf("\n");
  return new DiskError("EINVAL", `line ${line}, column ${column}${source.name}: ${what}`);
}
