// The thread that BitTorrent runs in: whatever strangers send, it ends there, and closing ends all of it.

import { parentPort, workerData } from "node:worker_threads";
import { Client } from "./client/client.ts";
import type { ClientOptions, Order, Report } from "./messages.ts";

/** So many errors are those of peers; a client that throws more often is broken. */
const ERRORS = 100;

const port = parentPort;
if (port !== null) {
  const report = (message: Report): void => port.postMessage(message);
  const client = new Client(workerData as ClientOptions, report);
  let errors = 0;
  // A peer whose messages the library cannot take is to harm itself only.
  const survive = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    errors += 1;
    report(errors > ERRORS ? { type: "failed", text } : { type: "warning", text });
  };
  process.on("uncaughtException", survive);
  process.on("unhandledRejection", survive);
  port.on("message", (order: Order) => {
    if (order.type !== "close") {
      client.obey(order);
      return;
    }
    void client.close().then(() => {
      report({ type: "closed" });
      port.close();
    });
  });
}
