// Reading command lines: what getopt_long does, so that nbdkit's command lines mean the same here.

import { describe, expect, it } from "vitest";
import { type OptionSpec, readArguments } from "../../src/cli/arguments.ts";

const specs = [
  { name: "foreground", aliases: ["no-fork"], short: "f", help: "Stay" },
  { name: "verbose", short: "v", help: "Talk" },
  { name: "readonly", aliases: ["read-only"], short: "r", help: "Refuse writes" },
  { name: "run", value: "CMD", help: "Run" },
  { name: "unix", short: "U", value: "PATH", help: "Listen" },
  { name: "filter", value: "NAME", help: "Filter" },
  { name: "no-sr", help: "", refused: "that is not there yet" },
] as const satisfies readonly OptionSpec[];

const read = (...argv: string[]) => readArguments(argv, specs);

describe("readArguments", () => {
  it("takes options and other arguments in any order", () => {
    const args = read("-r", "memory", "--unix", "/sock", "1G", "--filter=a");
    expect(args.positionals).toEqual(["memory", "1G"]);
    expect(args.has("readonly")).toBe(true);
    expect(args.value("unix")).toBe("/sock");
    expect(args.value("filter")).toBe("a");
    expect(args.has("verbose")).toBe(false);
    expect(args.value("run")).toBeUndefined();
  });

  it.each([[["-fvU", "-"]], [["-fvU-"]], [["-f", "-v", "-U-"]], [["--foreground", "--verbose", "--unix=-"]]])("reads %j alike", (argv) => {
    const args = read(...argv);
    expect([args.has("foreground"), args.has("verbose"), args.value("unix")]).toEqual([true, true, "-"]);
  });

  it("takes the last of an option that is there twice, and all where all are asked for", () => {
    const args = read("--filter", "a", "--filter=b");
    expect(args.value("filter")).toBe("b");
    expect(args.values("filter")).toEqual(["a", "b"]);
    expect(args.values("run")).toEqual([]);
  });

  it("takes a value that looks like an option", () => {
    expect(read("--run", "-x").value("run")).toBe("-x");
    expect(read("--run", "--", "a").value("run")).toBe("--");
    expect(read("--run=").value("run")).toBe("");
  });

  it("takes everything after -- as it is", () => {
    expect(read("-r", "--", "-v", "--run").positionals).toEqual(["-v", "--run"]);
  });

  it("knows an option by another name, and by a beginning that no other option has", () => {
    expect(read("--no-fork").has("foreground")).toBe(true);
    expect(read("--fo").has("foreground")).toBe(true);
    expect(read("--rea").has("readonly")).toBe(true);
    expect(read("--u", "x").value("unix")).toBe("x");
  });

  it.each([
    [["--f"], "option '--f' is ambiguous: --foreground, --filter"],
    [["--reedonly"], "unrecognized option '--reedonly': did you mean --readonly?"],
    [["--colour"], "unrecognized option '--colour'"],
    [["-x"], "invalid option '-x'"],
    [["-fx"], "invalid option '-x'"],
    [["--run"], "option '--run' requires an argument: CMD"],
    [["-U"], "option '-U' requires an argument: PATH"],
    [["--readonly=yes"], "option '--readonly' doesn't allow an argument"],
    [["--no-sr"], "--no-sr: that is not there yet"],
  ])("refuses %j", (argv, text) => {
    expect(() => read(...argv)).toThrow(expect.objectContaining({ message: text }));
  });
});
