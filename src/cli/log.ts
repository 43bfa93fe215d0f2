// Where errors go while the server runs (`--log`), and what happens meanwhile (`--verbose`). Both listen to the server's diagnostics channels.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { openSync, writeSync } from "node:fs";
import { errorText } from "../contract/error.ts";
import { complain, type Host } from "./host.ts";
import { UsageError } from "./usage-error.ts";

/** Reports an error. */
export type Log = (text: string) => void;

/**
 * Makes the log that `--log` asks for.
 *
 * @throws UsageError when it asks for something that is not there
 */
export function openLog(where: string | undefined, host: Host): Log {
  if (where === undefined || where === "stderr" || where === "default") return (text) => complain(host, text);
  if (where === "null") return () => undefined;
  if (where === "syslog") {
    throw new UsageError(
      "--log=syslog is not there: Node.js cannot reach it. Use --log=stderr under systemd, or 2> >(logger -t diskwright)",
    );
  }
  if (!where.startsWith("/")) throw new UsageError(`--log ${JSON.stringify(where)}: expected stderr, null or /path`);
  let fd: number;
  try {
    fd = openSync(where, "a");
  } catch (error) {
    throw new Error(`--log: ${errorText(error)}`, { cause: error });
  }
  return (text) => void writeSync(fd, `${new Date().toISOString()} diskwright[${host.pid}]: ${text}\n`);
}

/**
 * Reports requests that failed, with the text that clients may not see, and errors that no client hears of. Answers with what stops that.
 *
 * @param textOf - what to say of an error
 */
export function logErrors(log: Log, textOf: (error: unknown) => string = errorText): () => void {
  const stops = [
    listen("diskwright:server.request.error", ({ connection, command, offset, length, error }) =>
      log(`connection ${connection}: ${command} offset=${offset} length=${length}: ${textOf(error)}`),
    ),
    listen("diskwright:server.error", ({ during, error }) => log(`${during}: ${textOf(error)}`)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Prints what clients do, on standard error. Answers with what stops that. */
export function logEvents(host: Host): () => void {
  const print = (text: string): void => complain(host, `debug: ${text}`);
  const stops = [
    listen("diskwright:server.connection.open", ({ connection, peer }) => print(`connection ${connection} from ${JSON.stringify(peer)}`)),
    listen("diskwright:server.connection.close", ({ connection, reason }) =>
      print(`connection ${connection} is over${reason === undefined ? "" : `: ${reason}`}`),
    ),
    listen("diskwright:server.request.end", ({ connection, command, flags, offset, length, error }) => {
      print(
        `connection ${connection}: ${command} offset=${offset} length=${length} flags=${flags}${error === undefined ? "" : `: ${errorText(error)}`}`,
      );
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

// biome-ignore lint/suspicious/noExplicitAny: what a channel carries is for its publisher to say
function listen(channel: string, heard: (event: any) => void): () => void {
  const subscriber = (event: unknown): void => heard(event);
  subscribe(channel, subscriber);
  return () => void unsubscribe(channel, subscriber);
}
