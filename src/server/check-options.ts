// Are the options of serve() possible, each and together?

import type { ServeOptions } from "./options.ts";

const places = ["unix", "fd", "stdio"] as const;

/** Throws a TypeError or RangeError that names the option, its value and what is allowed. */
export function checkOptions(options: ServeOptions): void {
  const { unix, port, host, fd, busyPoll, listen } = options;
  const chosen: string[] = places.filter((place) => options[place] !== undefined && options[place] !== false);
  if (port !== undefined || host !== undefined) chosen.push(port === undefined ? "host" : "port");
  if (chosen.length > 1) throw new TypeError(`${chosen.join(" and ")} cannot be given together: a server listens in one place`);
  if (listen === false && chosen.length > 0) throw new TypeError(`listen: false cannot be given with ${chosen[0]}`);
  if (typeof unix === "string" && (unix === "" || Buffer.byteLength(unix) > 107)) {
    throw new RangeError(`unix ${JSON.stringify(unix)}: the path of a unix socket has 1 to 107 bytes`);
  }
  checkNumber("port", port, 0, 65_535);
  checkNumber("fd", fd, 0, 2 ** 31 - 1);
  checkNumber("busyPoll", busyPoll, 0, 1_000_000);
}

function checkNumber(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new RangeError(`${name} ${String(value)}: expected a whole number from ${least} to ${most}`);
}
