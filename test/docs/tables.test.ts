// The tables of the documentation say what the code says.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { serveOptions } from "../../src/cli/serve-options.ts";
import { ErrorNumber } from "../../src/protocol/constants.ts";
import { errorNumber } from "../../src/protocol/errors.ts";
import { completeLimits } from "../../src/server/limits.ts";

const page = (name: string): string => readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");

/** The rows of a page's tables, as their cells. */
function rows(name: string): string[][] {
  return page(name)
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}

test("errors.md has every error of the wire, with its codes and number", () => {
  const table = rows("errors.md").flatMap(([codes = "", error = ""]) => {
    const [, name = "", number = ""] = /`NBD_(\w+)` \((\d+)\)/.exec(error) ?? [];
    return name === "" ? [] : [{ name, number: Number(number), codes: [...codes.matchAll(/`(E\w+)`/g)].map(([, code]) => code as string) }];
  });
  expect(Object.fromEntries(table.map(({ name, number }) => [name, number]))).toEqual(ErrorNumber);
  for (const { number, codes } of table) for (const code of codes) expect([code, errorNumber(code)]).toEqual([code, number]);
});

test("serve.md has every limit with its default, and says which may be Infinity", () => {
  const units: Record<string, number> = { ms: 1, KiB: 1024, MiB: 1024 * 1024 };
  const table = rows("serve.md").flatMap(([name = "", value = ""]) => {
    const [, digits = "", unit = ""] = /^([\d,]+) ?(ms|KiB|MiB)?$/.exec(value) ?? [];
    return digits === "" ? [] : [[name.replaceAll("`", ""), Number(digits.replace(",", "")) * (units[unit] ?? 1)] as const];
  });
  expect(Object.fromEntries(table)).toEqual(completeLimits());
  const sentence = /^(.*) may be `Infinity`\./m.exec(page("serve.md"))?.[1] ?? "";
  for (const [name] of table) {
    const lift = (): unknown => completeLimits({ [name]: Infinity });
    if (sentence.includes(`\`${name}\``)) expect(lift).not.toThrow();
    else expect(lift).toThrow(RangeError);
  }
});

test("command-line.md has every option that the help has, and those that are refused", () => {
  const text = page("command-line.md");
  const missing = serveOptions
    .filter(({ help, refused }) => help !== "" || refused !== undefined)
    .filter(({ name, short }) => !text.includes(`--${name}`) && !(short !== undefined && new RegExp(`\`-${short}\\b`).test(text)));
  expect(missing.map(({ name }) => name)).toEqual([]);
});
