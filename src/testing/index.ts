// Exported as "diskwright/testing": the conformance suites for plugins and filters, and what tests of disks are made with.

export type { Call, Operation } from "./call.ts";
export type { TestFunction } from "./check.ts";
export { type FakeClock, fakeClock } from "./fake-clock.ts";
export { type Failure, type Fault, fail, faulty, type Hold, hold, type When } from "./faulty.ts";
export { type FilterTestOptions, testFilter } from "./filter.ts";
export { type PluginTestOptions, testPlugin } from "./plugin.ts";
export { poisoned } from "./poisoned.ts";
export { classRam, type Ram, ram } from "./ram.ts";
export { recorded } from "./recorded.ts";
export type { RouteName } from "./routes.ts";
