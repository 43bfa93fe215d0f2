// Are the options of serve() possible, each and together?

import type { ServeOptions } from "./options.ts";

const places = ["unix", "fd", "stdio"] as const;

/** What each option may be. */
const kinds: Readonly<Record<keyof ServeOptions, string>> = {
  unix: "a path, or true",
  port: "a whole number from 0 to 65535",
  host: "an address or a name",
  fd: "a whole number from 0 to 2147483647",
  stdio: "a boolean",
  listen: "a boolean",
  readonly: "a boolean",
  defaultExport: "the name of an export",
  limits: "an object",
  signal: "an AbortSignal",
  busyPoll: "a whole number from 0 to 1000000",
};

/**
 * Throws a TypeError or RangeError that names the option, its value and what is allowed.
 *
 * @param map - whether a map of exports is served
 */
export function checkOptions(options: ServeOptions, map: boolean): void {
  for (const name of Object.keys(options)) {
    if (!(name in kinds)) throw new TypeError(`${name} is not an option of serve(): there are ${Object.keys(kinds).join(", ")}`);
  }
  const { unix, port, host, fd, listen, stdio, readonly, defaultExport, limits, signal, busyPoll } = options;
  checkType("unix", unix, typeof unix === "string" || typeof unix === "boolean");
  checkType("host", host, typeof host === "string" && host !== "");
  for (const [name, value] of Object.entries({ stdio, listen, readonly })) checkType(name, value, typeof value === "boolean");
  checkType("defaultExport", defaultExport, typeof defaultExport === "string");
  checkType("limits", limits, typeof limits === "object" && limits !== null);
  checkType("signal", signal, signal instanceof AbortSignal);
  checkNumber("port", port, 0, 65_535);
  checkNumber("fd", fd, 0, 2 ** 31 - 1);
  checkNumber("busyPoll", busyPoll, 0, 1_000_000);

  const chosen: string[] = places.filter((place) => options[place] !== undefined && options[place] !== false);
  if (port !== undefined || host !== undefined) chosen.push(port === undefined ? "host" : "port");
  if (chosen.length > 1) throw new TypeError(`${chosen.join(" and ")} cannot be given together: a server listens in one place`);
  if (listen === false && chosen.length > 0) throw new TypeError(`listen: false cannot be given with ${chosen[0]}`);
  if (typeof unix === "string" && (unix === "" || Buffer.byteLength(unix) > 107))
    throw new RangeError(`unix ${JSON.stringify(unix)}: the path of a unix socket has 1 to 107 bytes`);
  if (defaultExport !== undefined && !map)
    throw new TypeError(
      `defaultExport ${JSON.stringify(defaultExport)}: a single plugin gets every name; serve({ name: plugin }) has a default`,
    );
}

function checkType(name: string, value: unknown, right: boolean): void {
  if (value !== undefined && !right) throw new TypeError(`${name} ${show(value)}: expected ${kinds[name as keyof ServeOptions]}`);
}

function checkNumber(name: keyof ServeOptions, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new RangeError(`${name} ${show(value)}: expected ${kinds[name]}`);
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
