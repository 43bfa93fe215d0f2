// What the command needs of the process it runs in. `process` itself is one; tests bring their own.

/** The process that the command runs in: its streams, environment and signals. */
export type Host = Pick<NodeJS.Process, "stdin" | "stdout" | "stderr" | "env" | "pid" | "ppid" | "on" | "off" | "exit">;

/** Prints one line for the person at the terminal, on standard error. */
export function complain(host: Host, text: string): void {
  host.stderr.write(`diskwright: ${text}\n`);
}
