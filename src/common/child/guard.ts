// Sees to it that children end when this process does, also when it is killed and can do nothing about it any more.
//
// A small shell process reads the ids of our children from a pipe whose other end only we have. When we end, in whatever way, the pipe does too: the
// shell then ends the children that are left, and itself. It is there while there are children, and for a few seconds after.

import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";

/** SIGTERM first: a server of disk images has something to write. Each id is that of a group. */
const SCRIPT = `
children=
while read -r what id; do
  case $what in
    +) children="$children $id" ;;
    -) left=
       for child in $children; do [ "$child" = "$id" ] || left="$left $child"; done
       children=$left ;;
  esac
done
[ -z "$children" ] && exit
for child in $children; do kill -s TERM -- "-$child"; done
sleep 2
for child in $children; do kill -s KILL -- "-$child"; done
`;

/** Milliseconds for which a guard without children is kept: scripts are run one after the other. */
const IDLE = 3000;

let current: { readonly shell: ChildProcess; readonly pipe: Socket } | undefined;
const groups = new Set<number>();
let idle: NodeJS.Timeout | undefined;

/** Has a guard stand ready: to be called before a child is started, so that there is no time in which nobody watches over it. */
export function prepareGuard(): void {
  // There, the system ends children with their parent.
  if (process.platform === "win32") return;
  clearTimeout(idle);
  current ??= post();
  relieve();
}

/**
 * From now on the process group ends when we do.
 *
 * @returns to be called when it has ended
 */
export function guard(group: number): () => void {
  groups.add(group);
  current?.pipe.write(`+ ${group}\n`);
  return () => {
    groups.delete(group);
    current?.pipe.write(`- ${group}\n`);
    relieve();
  };
}

/** Lets the guard go in a while, if there is nothing to guard by then. */
function relieve(): void {
  clearTimeout(idle);
  idle = setTimeout(() => {
    if (groups.size === 0) dismiss();
  }, IDLE).unref();
}

function dismiss(): void {
  current?.pipe.end();
  current = undefined;
}

/** Starts a guard for all the children that there are. */
function post(): NonNullable<typeof current> {
  // A session of its own: what ends us by the terminal, or by our group, is not to end the guard.
  const shell = spawn("/bin/sh", ["-c", SCRIPT], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
  });
  const pipe = shell.stdin as Socket;
  // Neither it nor its end keeps this process, and where there is no shell children go without it.
  const gone = (): void => {
    if (current?.shell === shell) current = undefined;
  };
  shell.on("error", gone);
  shell.once("exit", gone);
  pipe.on("error", () => undefined);
  shell.unref();
  pipe.unref();
  for (const group of groups) pipe.write(`+ ${group}\n`);
  return { shell, pipe };
}
