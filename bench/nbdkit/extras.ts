// What throughput does not show: how fast clients come and go, what they cost while they idle, and how soon a disk is there.

import { memory, type Server, serve } from "../../src/index.ts";
import { Client } from "./client.ts";
import { median } from "./report.ts";
import type { Contender } from "./servers.ts";

const IDLE = 1000;
const CONNECT_SECONDS = 3;
const STARTS = 15;

/** Measures them for both and answers a table in Markdown. */
export async function extras(contenders: readonly [Contender, Contender], size: string): Promise<string[]> {
  const lines = [`| | ${contenders[0].name} | ${contenders[1].name} |`, "| --- | ---: | ---: |"];
  const add = async (what: string, measure: (contender: Contender) => Promise<string>): Promise<void> => {
    const cells: string[] = [];
    for (const contender of contenders) cells.push(await measure(contender));
    lines.push(`| ${what} | ${cells.join(" | ")} |`);
  };
  await add("clients that connect, negotiate, read 512 bytes and leave, per second, one at a time", (contender) => connects(contender, 1));
  await add("the same, eight at a time", (contender) => connects(contender, 8));
  await add(`memory with no client, and with ${IDLE.toLocaleString("en")} idle ones`, (contender) => idle(contender));
  await add("from spawning the process to the first byte read (median)", (contender) => starts(contender));
  lines.push(`| from \`serve()\` in a running process to the first byte read (median) | cannot | ${await startsInProcess(size)} |`);
  return lines;
}

async function connects(contender: Contender, clients: number): Promise<string> {
  const server = await contender.start();
  try {
    const visit = async (): Promise<void> => {
      const client = await Client.connect(server.socket);
      await client.read(0, 512);
      client.close();
    };
    const visitUntil = async (deadline: number): Promise<number> => {
      let visits = 0;
      for (; performance.now() < deadline; visits++) await visit();
      return visits;
    };
    const during = async (seconds: number): Promise<number> => {
      const started = performance.now();
      const visits = await Promise.all(Array.from({ length: clients }, () => visitUntil(started + seconds * 1000)));
      return (visits.reduce((sum, each) => sum + each, 0) / (performance.now() - started)) * 1000;
    };
    await during(1);
    return Math.round(await during(CONNECT_SECONDS)).toLocaleString("en");
  } finally {
    await server.stop();
  }
}

async function idle(contender: Contender): Promise<string> {
  const server = await contender.start();
  const clients: Client[] = [];
  try {
    const alone = server.rss();
    for (let i = 0; i < IDLE; i++) {
      const client = await Client.connect(server.socket);
      await client.read(0, 512);
      clients.push(client);
    }
    return `${alone.toFixed(0)} MiB, ${server.rss().toFixed(0)} MiB`;
  } catch (error) {
    return `${(error as Error).message} after ${clients.length} clients`;
  } finally {
    for (const client of clients) client.close();
    await server.stop();
  }
}

async function starts(contender: Contender): Promise<string> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const server = await contender.start();
    times.push(server.firstByte);
    await server.stop();
  }
  return `${median(times).toFixed(1)} ms`;
}

async function startsInProcess(size: string): Promise<string> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const started = performance.now();
    const server: Server = await serve(memory(size), { unix: true });
    const address = server.address;
    if (address?.transport !== "unix") throw new Error("expected a unix socket");
    const client = await Client.connect(address.path);
    await client.read(0, 512);
    times.push(performance.now() - started);
    client.close();
    await server.close();
  }
  return `${median(times).toFixed(1)} ms`;
}
