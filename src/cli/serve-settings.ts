// The options of `diskwright serve` that set a number or are only checked.

import type { Limits } from "../index.ts";
import type { Arguments } from "./arguments.ts";
import { complain, type Host } from "./host.ts";
import type { ServeOption } from "./serve-options.ts";
import { UsageError } from "./usage-error.ts";
import { readBoolean, readInteger, readTime } from "./values.ts";

/**
 * The server's limits that `--threads` and `--timeout` set. A thread of nbdkit is a request under way here; 0 means as many as usual.
 *
 * @throws UsageError when they are not what they should be
 */
export function limitsOf(args: Arguments<ServeOption>): Partial<Limits> {
  const threads = args.value("threads");
  const timeout = args.value("timeout");
  const requests = threads === undefined ? 0 : readInteger(threads, "--threads");
  if (requests < 0) throw new UsageError(`--threads ${threads}: expected a number from 0`);
  const milliseconds = timeout === undefined ? undefined : readTime(timeout, "--timeout");
  return {
    ...(requests > 0 && { requestsInFlight: requests }),
    ...(milliseconds !== undefined && { handshakeTimeout: milliseconds === 0 ? Infinity : Math.ceil(milliseconds) }),
  };
}

/**
 * Checks the options that are taken for the sake of existing command lines: `--tls=off`, `--debug`.
 *
 * @throws UsageError when they ask for something that is not there
 */
export function checkAccepted(args: Arguments<ServeOption>, host: Host): void {
  const tls = args.value("tls");
  const wantsTls = tls !== undefined && (/^(required?|force)$/i.test(tls) || readBoolean(tls, "--tls"));
  if (wantsTls) throw new UsageError(`--tls=${tls}: TLS is not there yet; use a unix socket (-U), an ssh tunnel, or a trusted network`);
  for (const flag of args.values("debug")) {
    if (!/^[^.=]+\.[^=]+=-?\w+$/.test(flag)) throw new UsageError(`--debug ${JSON.stringify(flag)}: expected NAME.FLAG=N`);
    complain(host, `warning: debug flag -D ${flag} was not used; --verbose prints what happens`);
  }
}
