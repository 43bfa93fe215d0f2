// What brings a server to its end from outside: signals and, with `--exit-with-parent`, the parent's end.

import { constants } from "node:os";
import type { Host } from "./host.ts";

const endingSignals = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"] as const;
/** Node.js has no call for what prctl(PR_SET_PDEATHSIG) does; asking for the parent's process id costs a microsecond. */
const PARENT_EVERY_MS = 100;

/** A watch for the end. */
export interface EndWatch {
  /** Aborted by the first signal, or the parent's end. */
  readonly signal: AbortSignal;
  /**
   * From now on a command decides when it is over: signals are ignored, as nbdkit does. A terminal's Ctrl-C reaches the command as well.
   */
  leaveToCommand(): void;
  stop(): void;
}

/** Watches for the end: the first signal asks for it, another one exits at once. */
export function watchForEnd(host: Host, withParent: boolean): EndWatch {
  const controller = new AbortController();
  let ignored = false;
  const heard = (signal: (typeof endingSignals)[number]): void => {
    if (ignored) return;
    if (controller.signal.aborted) host.exit(128 + constants.signals[signal]);
    controller.abort(new Error(`${signal} ended it before it was ready`));
  };
  for (const signal of endingSignals) host.on(signal, heard);
  const stopParent = withParent
    ? onParentGone(host, () => controller.abort(new Error("the parent process ended before it was ready")))
    : undefined;
  return {
    signal: controller.signal,
    leaveToCommand: () => {
      ignored = true;
    },
    stop: () => {
      for (const signal of endingSignals) host.off(signal, heard);
      stopParent?.();
    },
  };
}

function onParentGone(host: Host, gone: () => void): () => void {
  const parent = host.ppid;
  const timer = setInterval(() => {
    if (host.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, PARENT_EVERY_MS).unref();
  return () => clearInterval(timer);
}
