// What is still there after a power cut.

import type { Area } from "../area.ts";
import type { Bench, Check } from "../check.ts";

const skip: NonNullable<Check["skip"]> = ({ write }, { crash }) =>
  !write ? "it cannot be written" : crash === undefined ? "how it would look after a power cut is not said (option crash)" : undefined;

export const durability: readonly Check[] = [
  {
    name: "what was written before a flush is there after a power cut",
    skip: (can, options, disk) => skip(can, options, disk) ?? (can.flush ? undefined : "it has no flush"),
    async run(bench) {
      for (const area of bench.areas) {
        for (let i = 0; i < 10; i += 1) await area.write(...area.anywhere(10_000));
        await area.zero(...area.anywhere(10_000));
      }
      await bench.disk.flush();
      const found = await bench.openAfterPowerCut();
      for (const area of bench.areas) await area.seenBy(found).verify();
    },
  },
  ...fua("written", (area, start, length) => area.write(start, length, { fua: true })),
  ...fua("zeroed", (area, start, length) => area.zero(start, length, { fua: true })),
  ...fua("zeroed without a hole", (area, start, length) => area.zero(start, length, { fua: true, noHole: true })),
];

function fua(what: string, act: (area: Area, start: number, length: number) => Promise<void>): Check[] {
  return [
    {
      name: `what was ${what} with FUA is there after a power cut`,
      skip: (can, options, disk) => skip(can, options, disk) ?? (can.fua === "none" ? "it has no FUA" : undefined),
      run: (bench) => inTurn(bench, act),
    },
  ];
}

/** Looks after each request, before another one could flush it on the side. */
async function inTurn(bench: Bench, act: (area: Area, start: number, length: number) => Promise<void>): Promise<void> {
  for (const area of bench.areas) {
    for (const [start, length] of [area.anywhere(512), area.anywhere(10_000)]) {
      // Something else than what is to be there, so that one can tell; on stable storage, so that it might come back.
      await area.write(start, length);
      await bench.disk.flush();
      await act(area, start, length);
      const found = await bench.openAfterPowerCut();
      await area.seenBy(found).read(start, length);
    }
  }
}
