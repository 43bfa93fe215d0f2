// `--user` and `--group`: becoming somebody else once the sockets are open.

import { chownSync } from "node:fs";
import { errorText } from "../contract/error.ts";

/** Whom to become. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Looks up whom to become.
 *
 * @param user - a name or number; absent: who we are
 * @param group - a name or number; absent: the group we are in
 * @returns `undefined` where nobody was named
 * @throws when there is no such user or group, or this process may not become them
 */
export function lookUpCredentials(user: string | undefined, group: string | undefined): Credentials | undefined {
  if (user === undefined && group === undefined) return undefined;
  const { getuid, getgid } = process;
  if (getuid === undefined || getgid === undefined) throw new Error("--user and --group: there are no users to become on this system");
  return {
    gid: group === undefined ? getgid() : attempt(`become group ${group}`, () => numberOf(group, process.getegid, process.setegid)),
    uid: user === undefined ? getuid() : attempt(`become user ${user}`, () => numberOf(user, process.geteuid, process.seteuid)),
  };
}

/**
 * Becomes another user and group, for good.
 *
 * @param handOver - files and directories that this process will want to remove: they are given to the new user and group
 * @throws when this process may not
 */
export function become({ uid, gid }: Credentials, handOver: readonly string[]): void {
  for (const path of handOver) attempt(`give ${path} to user ${uid}, group ${gid}`, () => chownSync(path, uid, gid));
  if (process.getuid?.() === 0) attempt("leave the other groups", () => process.setgroups?.([gid]));
  attempt(`become group ${gid}`, () => process.setgid?.(gid));
  attempt(`become user ${uid}`, () => process.setuid?.(uid));
}

/** The number behind a name: Node.js tells only who we are, so we are that one for a moment. */
function numberOf(name: string, get: (() => number) | undefined, set: ((id: string | number) => void) | undefined): number {
  if (/^\d+$/.test(name)) return Number(name);
  const before = get?.() ?? 0;
  set?.(name);
  const number = get?.() ?? before;
  set?.(before);
  return number;
}

function attempt<T>(what: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new Error(`cannot ${what}: ${errorText(error)}`, { cause: error });
  }
}
