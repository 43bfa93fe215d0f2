// Block status of an export, as extents.

import type { Connection, Context, Extent, StatusExtent } from "../contract/connection.ts";
import type { ExtentFlags } from "../contract/flags.ts";
import { Allocation, BASE_ALLOCATION, CommandFlag } from "../protocol/constants.ts";
import type { Session } from "./session.ts";

/** The part of a Connection that block status makes: `extents` where the server has `base:allocation`, and the other contexts. */
export function remoteStatus(
  sessions: readonly Session[],
  next: () => Session,
  maxRange: bigint,
): Pick<Connection, "extents" | "contexts"> {
  const { contexts, blockSize, size } = (sessions[0] as Session).agreement;
  const minimum = BigInt(blockSize?.minimum ?? 1);

  const statusOf = (name: string) => {
    // The number that stands for a context is each connection's own.
    const ids = new Map(
      sessions.map((session) => [session, session.agreement.contexts.find((context) => context.name === name)?.id as number]),
    );
    return (offset: bigint, length: bigint, { reqOne }: ExtentFlags): Promise<StatusExtent[]> => {
      const start = offset - (offset % minimum);
      const end = roundUp(offset + length, minimum, size);
      const session = next();
      const bytes = end - start < maxRange ? end - start : maxRange;
      return session.blockStatus(ids.get(session) as number, start, bytes, reqOne ? CommandFlag.REQ_ONE : 0);
    };
  };

  const others = contexts.filter(({ name }) => /^(?!base:)[^:]+:/.test(name));
  const own = others.map(({ name }): Context => ({ name, extents: statusOf(name) }));
  if (!contexts.some(({ name }) => name === BASE_ALLOCATION)) return { contexts: own };
  const allocation = statusOf(BASE_ALLOCATION);
  return {
    contexts: own,
    extents: async (offset, length, flags) => (await allocation(offset, length, flags)).map(toExtent),
  };
}

function toExtent({ offset, length, status }: StatusExtent): Extent {
  // Status bits that are yet unknown mean nothing to us.
  const bits = Number(status & 3n);
  return { offset, length, hole: (bits & Allocation.HOLE) !== 0, zero: (bits & Allocation.ZERO) !== 0 };
}

function roundUp(end: bigint, minimum: bigint, size: bigint): bigint {
  const rounded = ((end + minimum - 1n) / minimum) * minimum;
  return rounded < size ? rounded : size;
}
