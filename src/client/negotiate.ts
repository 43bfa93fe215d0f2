// Runs a negotiation over a channel, within a time.

import { DiskError } from "../contract/error.ts";
import { type Script, ScriptRunner } from "../protocol/client-script.ts";
import type { Channel } from "./channel.ts";

/** Longer than any timer can wait. */
const MAX_TIMER: number = 2 ** 31 - 1;

/**
 * Runs `script`; rejects when it throws, the server hangs up or `timeout` milliseconds have passed. After a failure the channel is closed,
 * after what the script had to say in parting.
 */
export function negotiate<T>(channel: Channel, script: Script<T>, timeout = 30_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const runner = new ScriptRunner(script);
    let heard = 0;
    const late = (): void => {
      const what = heard === 0 ? "did not connect and greet" : `did not send ${runner.awaiting}`;
      channel.fail(new DiskError("ETIMEDOUT", `the server ${what} within ${timeout} ms${heard === 0 ? ": is it an NBD server?" : ""}`));
    };
    const timer = timeout > MAX_TIMER ? undefined : setTimeout(late, timeout);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      channel.disown();
      settle();
    };
    const run = (step: () => void): void => {
      let failure: { readonly error: unknown } | undefined;
      try {
        step();
      } catch (error) {
        failure = { error };
      }
      const output = runner.takeOutput();
      if (output.length > 0) channel.write(output);
      const { result } = runner;
      if (failure !== undefined && output.length === 0) {
        channel.fail(failure.error);
      } else if (failure !== undefined) {
        void channel.finish();
        end(() => reject(failure.error));
      } else if (result !== undefined) {
        end(() => resolve(result.value));
      }
    };
    channel.own({
      receive: (bytes) =>
        run(() => {
          heard += bytes.length;
          const taken = runner.receive(bytes);
          if (taken < bytes.length)
            throw new DiskError("EPROTO", `the server sent ${bytes.length - taken} bytes before it was asked for anything`);
        }),
      lost: (error) => end(() => reject(during(error, runner.awaiting))),
    });
    if (channel.failure === undefined) run(() => runner.start());
  });
}

/** Says what the server hung up in the middle of. */
function during(error: unknown, awaiting: string): unknown {
  if (!DiskError.is(error) || error.code !== "ECONNRESET" || awaiting === "") return error;
  return new DiskError(error.code, `${error.message} instead of sending ${awaiting}`, { cause: error });
}
