// Where `diskwright serve` listens: the options that say so, and which of them go together.

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { errorText } from "../contract/error.ts";
import type { ServeOptions } from "../index.ts";
import type { Arguments } from "./arguments.ts";
import type { ServeOption } from "./serve-options.ts";
import { UsageError } from "./usage-error.ts";

/** The part of the server's options that says where it listens. */
export type Listen = Pick<ServeOptions, "unix" | "port" | "host" | "fd" | "stdio">;

const DEFAULT_PORT = 10809;

/**
 * Finds out where to listen. `--run` alone means a private unix socket, as in nbdkit from 1.36; nothing at all means port 10809 of this machine.
 *
 * @param activated - the file descriptors that socket activation passed
 * @throws UsageError when options contradict each other or make no sense
 */
export async function whereToListen(args: Arguments<ServeOption>, activated: readonly number[]): Promise<Listen> {
  checkCombination(args, activated);
  const [fd] = activated;
  if (fd !== undefined) return { fd };
  if (args.has("single")) return { stdio: true };

  const unix = args.value("unix");
  if (unix === "") throw new UsageError("-U: expected the path of a socket, or - for a private one");
  if (unix !== undefined) return { unix: unix === "-" ? true : resolve(unix) };

  const port = args.value("port");
  const host = await addressOf(args);
  if (args.has("run") && port === undefined && host === undefined) return { unix: true };
  return { port: port === undefined ? DEFAULT_PORT : readPort(port), ...(host !== undefined && { host }) };
}

function checkCombination(args: Arguments<ServeOption>, activated: readonly number[]): void {
  const given = (["ipaddr", "port", "single", "unix", "run"] as const).filter((name) => args.has(name));
  if (activated.length > 0 && given[0] !== undefined) {
    throw new UsageError(`cannot use socket activation (LISTEN_FDS) with --${given[0]}: the sockets to listen on are given`);
  }
  const pairs = [
    ["port", "unix", "it is one or the other"],
    ["port", "single", "there is nothing to listen on"],
    ["unix", "single", "there is nothing to listen on"],
    ["single", "run", "standard input and output are the command's"],
    ["single", "dump-plugin", "standard output is the client's"],
    ["single", "print-uri", "there is nothing to connect to"],
  ] as const;
  for (const [one, other, why] of pairs) {
    if (args.has(one) && args.has(other)) throw new UsageError(`--${one} and --${other} cannot be used together: ${why}`);
  }
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65535)) throw new UsageError(`--port ${JSON.stringify(text)}: expected a number from 0 to 65535`);
  return port;
}

/** The address to bind, where one was given; `-4` and `-6` say which kind a name stands for, and which loopback is meant without a name. */
async function addressOf(args: Arguments<ServeOption>): Promise<string | undefined> {
  const name = args.value("ipaddr");
  const family = args.has("ipv4-only") ? 4 : args.has("ipv6-only") ? 6 : undefined;
  if (args.has("ipv4-only") && args.has("ipv6-only")) throw new UsageError("--ipv4-only and --ipv6-only cannot be used together");
  if (name === "") throw new UsageError("--ipaddr: expected an address or a name");
  if (name === undefined) return family === undefined ? undefined : family === 4 ? "127.0.0.1" : "::1";
  if (family === undefined || isIP(name) !== 0) return name;
  try {
    return (await lookup(name, { family })).address;
  } catch (error) {
    throw new Error(`--ipaddr ${name}: it has no IPv${family} address: ${errorText(error)}`);
  }
}
