// The `diskwright` command: which commands there are, and what their errors look like.

import { errorText } from "../contract/error.ts";
import type { Catalogue } from "./catalogue.ts";
import { columns } from "./help.ts";
import { complain, type Host } from "./host.ts";
import { isFile } from "./script/file.ts";
import { serveCommand } from "./serve.ts";
import { didYouMean } from "./suggest.ts";
import { UsageError } from "./usage-error.ts";
import { VERSION } from "./version.ts";

interface Command {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** Answers with the exit code. */
  run(argv: readonly string[], host: Host, catalogue: Catalogue): Promise<number>;
}

const commands: readonly Command[] = [{ name: "serve", summary: "Serve a disk over NBD; takes nbdkit's command line", run: serveCommand }];

/**
 * Runs the `diskwright` command. Errors are printed, not thrown.
 *
 * @param argv - what stands after the program's name
 * @param host - the process, or what stands for it
 * @param catalogue - the plugins and filters that there are
 * @returns the exit code
 */
export async function main(argv: readonly string[], host: Host, catalogue: Catalogue): Promise<number> {
  const [name, ...rest] = argv;
  const command = commands.find((candidate) => candidate.name === name);
  try {
    if (command !== undefined) return await command.run(rest, host, catalogue);
    return await withoutCommand(name, rest, host, catalogue);
  } catch (error) {
    complain(host, errorText(error));
    if (error instanceof UsageError)
      host.stderr.write(`Use '${["diskwright", command?.name].filter(Boolean).join(" ")} --help' to see what there is.\n`);
    return 1;
  }
}

async function withoutCommand(name: string | undefined, rest: readonly string[], host: Host, catalogue: Catalogue): Promise<number> {
  if (name === undefined) throw new UsageError("no command given");
  if (name === "help" && rest[0] !== undefined) return main([rest[0], "--help", ...rest.slice(1)], host, catalogue);
  const text = ["--help", "-h", "help"].includes(name)
    ? overview()
    : ["--version", "-V"].includes(name)
      ? `diskwright ${VERSION}`
      : undefined;
  if (text === undefined) throw unknownCommand(name, rest, catalogue);
  host.stdout.write(`${text}\n`);
  return 0;
}

function unknownCommand(name: string, rest: readonly string[], catalogue: Catalogue): UsageError {
  const forServe = name.startsWith("-") || isFile(name) || catalogue.plugins.some((entry) => entry.name === name);
  if (forServe) return new UsageError(`there is no command '${name}': did you mean diskwright serve ${[name, ...rest].join(" ")}?`);
  const names = commands.map((command) => command.name);
  return new UsageError(`there is no command '${name}'${didYouMean(name, names)}`);
}

function overview(): string {
  return [
    "diskwright COMMAND [ARGUMENTS]",
    "Disks made of anything, served to anyone.",
    columns(commands.map(({ name, summary }) => [name, summary])),
    "More on a command: diskwright COMMAND --help",
  ].join("\n\n");
}
