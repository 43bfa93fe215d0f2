// Everything that can be done with a disk, in random order.

import { errorCode, errorText } from "../../contract/index.ts";
import type { Area } from "../area.ts";
import type { Bench, Check } from "../check.ts";

const OPERATIONS = 300;

export const randomOperations: readonly Check[] = [
  {
    name: "the disk equals an array of bytes under random operations",
    async run(bench) {
      const { areas, draw, options } = bench;
      const acts = actions(bench);
      const done: string[] = [];
      if (areas.length === 0) return;
      try {
        for (let i = 0; i < OPERATIONS; i += 1) {
          const area = draw.of(areas);
          const [name, act] = draw.of(acts);
          const [start, length] = area.anywhere(draw.of([3 * area.step, 5000, 70_000]));
          done.push(`${name} ${length} at ${area.offset + BigInt(start)}`);
          await act(area, start, length);
        }
        for (const area of areas) await area.verify();
      } catch (error) {
        const last = done.slice(-8).join("\n  ");
        throw new Error(
          `${errorText(error)}\nafter ${done.length} operations with seed ${options.seed ?? 1}, the last of them:\n  ${last}`,
          { cause: error },
        );
      }
    },
  },
];

type Action = (area: Area, start: number, length: number) => Promise<void>;

/** What the disk can do, by name. */
function actions({ disk, draw }: Bench): [string, Action][] {
  const can = disk.capabilities;
  const yes = (): boolean => draw.below(2) === 0;
  const fua = (): boolean => can.fua !== "none" && yes();
  const list: [string, Action][] = [
    ["read", (area, start, length) => area.read(start, length)],
    ["extents", (area, start, length) => area.extents(start, length)],
    ["flush", async () => disk.flush()],
  ];
  if (can.cache !== "none") list.push(["cache", (area, start, length) => area.cache(start, length)]);
  if (can.views) list.push(["views", async (area, start, length) => void area.views(start, length)]);
  if (!can.write) return list;
  list.push(
    ["write", (area, start, length) => area.write(start, length, { fua: fua() })],
    ["write", async (area, start, length) => void ((await area.writeInRoom(start, length)) || (await area.write(start, length)))],
    ["zero", (area, start, length) => area.zero(start, length, { fua: fua(), noHole: yes() })],
    ["fast zero", (area, start, length) => area.zero(start, length, { fastZero: true }).catch(unlessNotSupported)],
  );
  if (can.trim) list.push(["trim", (area, start, length) => area.trim(start, length, { fua: fua() })]);
  return list;
}

function unlessNotSupported(error: unknown): void {
  if (errorCode(error) !== "ENOTSUP") throw error;
}
