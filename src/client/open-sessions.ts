// The connections that a remote disk uses: one, or several where the server allows it and all of them show the same disk.

import { DiskError } from "../contract/error.ts";
import { type ExportAgreement, negotiateExport } from "../protocol/client-negotiation.ts";
import { TransmissionFlag } from "../protocol/constants.ts";
import type { Channel } from "./channel.ts";
import { negotiate } from "./negotiate.ts";
import type { ConnectOptions } from "./options.ts";
import { Session } from "./session.ts";

/** Opens the connections. When one of them breaks, now or later, so do the others. */
export async function openSessions(open: () => Channel, exportName: string, options: ConnectOptions): Promise<readonly Session[]> {
  const { timeout, requestTimeout = Number.POSITIVE_INFINITY, replies = "extended", contexts = [], connections = 1 } = options;
  const sessions: Session[] = [];
  const failures: unknown[] = [];
  // A server that has let one connection down cannot be trusted with the others.
  const abort = (error: unknown): void => {
    failures.push(error);
    for (const session of sessions) session.abort(error);
  };
  const openSession = async (): Promise<Session> => {
    const channel = open();
    const agreement = await negotiate(channel, negotiateExport({ exportName, replies, contexts }), timeout);
    if (sessions[0] !== undefined) checkSame(sessions[0].agreement, agreement, channel);
    const session = new Session(channel, agreement, requestTimeout, abort);
    sessions.push(session);
    return session;
  };
  const { agreement } = await openSession();
  if ((agreement.flags & TransmissionFlag.CAN_MULTI_CONN) === 0) return sessions;
  for (const result of await Promise.allSettled(Array.from({ length: connections - 1 }, openSession))) {
    if (result.status === "rejected") failures.push(result.reason);
  }
  if (failures.length === 0) return sessions;
  await Promise.all(sessions.map((session) => session.close()));
  throw failures[0];
}

/** Several connections must show one disk. */
function checkSame(first: ExportAgreement, other: ExportAgreement, channel: Channel): void {
  const others = shown(other);
  for (const [what, value] of Object.entries(shown(first))) {
    if (others[what] === value) continue;
    const error = new DiskError("EPROTO", `the connections to the server do not show the same disk: ${what} ${value} and ${others[what]}`);
    channel.fail(error);
    throw error;
  }
}

/** What a connection shows of its disk, in words. */
function shown({ size, flags, mode, exportName, contexts }: ExportAgreement): Record<string, string> {
  const names = contexts.map(({ name }) => name).toSorted();
  return { size: String(size), flags: `0x${flags.toString(16)}`, mode, name: JSON.stringify(exportName), contexts: JSON.stringify(names) };
}
