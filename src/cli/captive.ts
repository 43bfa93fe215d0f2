// `--run`: a shell command for as long as which we serve.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { complain, type Host } from "./host.ts";
import { shellQuote } from "./shell.ts";

/** What the command gets to know, as variables of its shell. They are not exported: what the command starts sees them as arguments only. */
export interface CaptiveVariables {
  /** The URI of the export, as `$uri` and `$nbd`. */
  readonly uri: string;
  readonly exportname: string;
  /** The TCP port; empty on a unix socket. */
  readonly port: string;
  /** The path of the unix socket; empty on TCP. */
  readonly unixsocket: string;
}

/** A command that is running. */
export interface Captive {
  /** Its exit code; 128 and the signal's number where a signal ended it. Rejects when there is no shell to start it. */
  readonly ended: Promise<number>;
  /** Asks it to end. */
  stop(): void;
}

/** Puts the variables in front of a command. */
export function captiveScript(command: string, { uri, exportname, port, unixsocket }: CaptiveVariables): string {
  const lines = Object.entries({ uri, nbd: uri, exportname, port, unixsocket }).map(([name, value]) => `${name}=${shellQuote(value)}`);
  return [...lines, command].join("\n");
}

/** Starts a script in /bin/sh, on our own standard input, output and error. */
export function startCaptive(script: string, host: Host): Captive {
  const shell = spawn("/bin/sh", ["-c", script], { argv0: "sh", stdio: "inherit", env: host.env });
  const ended = new Promise<number>((resolve, reject) => {
    shell.once("error", (error) => reject(new Error(`--run: cannot start the command: ${error.message}`, { cause: error })));
    shell.once("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : killed(signal, host)));
  });
  return { ended, stop: () => void shell.kill() };
}

function killed(signal: NodeJS.Signals, host: Host): number {
  const number = constants.signals[signal];
  complain(host, `external command was killed by signal ${number} (${signal})`);
  return 128 + number;
}
