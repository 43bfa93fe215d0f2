// `rate` on the command line.

import { rate } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const rateEntry: FilterEntry = filterEntry({
  name: "rate",
  summary: "No more than so many bits per second",
  keys: {
    rate: { type: "size", help: "Bits per second for all clients together: 1M" },
    "connection-rate": { type: "size", help: "Bits per second for each client" },
    "rate-file": { type: "path", help: "A file with the rate, which may change while serving" },
    "connection-rate-file": { type: "path", help: "A file with the rate for each client" },
    burstiness: { type: "duration", default: "2", help: "For how long unused bits are saved up" },
  },
  create: (options) =>
    rate({
      ...(options.rate !== undefined && { rate: options.rate }),
      ...(options["connection-rate"] !== undefined && { connectionRate: options["connection-rate"] }),
      ...(options["rate-file"] !== undefined && { rateFile: options["rate-file"] }),
      ...(options["connection-rate-file"] !== undefined && { connectionRateFile: options["connection-rate-file"] }),
      ...(options.burstiness !== undefined && { burstiness: options.burstiness }),
    }),
});
