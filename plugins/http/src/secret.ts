// Passwords and tokens: values, or functions that fetch them when they are needed.

import { DiskError, type Secret } from "diskwright";

/** The text of a secret. */
export async function readSecret(secret: Secret, name: string): Promise<string> {
  const value: unknown = typeof secret === "function" ? await secret() : secret;
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  throw new DiskError("EINVAL", `option ${name}: expected a string, a Uint8Array or a function that answers with one`);
}
