// `diskwright serve`: nbdkit's command line over serve().

import { dirname, resolve } from "node:path";
import { errorText } from "../contract/error.ts";
import { type Plugin, type Server, serve } from "../index.ts";
import { activatedSockets, listenOnMore } from "./activation.ts";
import { type Arguments, readArguments } from "./arguments.ts";
import { type CaptiveVariables, captiveScript, startCaptive } from "./captive.ts";
import type { Catalogue } from "./catalogue.ts";
import { type EndWatch, watchForEnd } from "./ending.ts";
import { complain, type Host } from "./host.ts";
import { whereToListen } from "./listen.ts";
import { type Log, logErrors, logEvents, openLog } from "./log.ts";
import { writePidfile } from "./pidfile.ts";
import { become, type Credentials, lookUpCredentials } from "./privileges.ts";
import { isFile } from "./script/file.ts";
import { located } from "./script/where.ts";
import { aboutServe } from "./serve-about.ts";
import { type ServeOption, serveOptions } from "./serve-options.ts";
import { checkAccepted, limitsOf } from "./serve-settings.ts";
import { shellQuote } from "./shell.ts";
import { lookUpStack, makeDisk } from "./stack.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Runs `diskwright serve`.
 *
 * @param argv - what stands after `serve`
 * @returns the exit code: that of the `--run` command, 0 after a signal or the only client's leaving, 1 when something went wrong
 * @throws UsageError when the command line makes no sense
 */
export async function serveCommand(argv: readonly string[], host: Host, catalogue: Catalogue): Promise<number> {
  const args = readArguments(argv, serveOptions);
  const about = await aboutServe(args, host, catalogue);
  if (about !== undefined) {
    host.stdout.write(`${about}\n`);
    return 0;
  }
  const [plugin, ...parameters] = args.positionals;
  if (plugin === undefined) throw new UsageError("no plugin given on the command line");
  checkAccepted(args, host);
  const log = openLog(args.value("log"), host);
  const textOf = isFile(plugin) ? (error: unknown) => located(error, resolve(plugin)) : errorText;
  const stops = [logErrors(log, textOf), ...(args.has("verbose") ? [logEvents(host)] : [])];
  try {
    const stack = await lookUpStack(catalogue, plugin, args.values("filter"));
    return await serveUntilEnd(args, host, log, () => makeDisk(stack, parameters, host));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    log(textOf(error));
    return 1;
  } finally {
    for (const stop of stops) stop();
  }
}

/** Serves until a signal, the parent's end, the only client's leaving or the end of the `--run` command. */
async function serveUntilEnd(args: Arguments<ServeOption>, host: Host, log: Log, makeDisk: () => Promise<Plugin>): Promise<number> {
  const sockets = activatedSockets(host);
  const listen = await whereToListen(args, sockets);
  const limits = limitsOf(args);
  const credentials = lookUpCredentials(args.value("user"), args.value("group"));
  const end = watchForEnd(host, args.has("exit-with-parent"));
  try {
    const server = await serve(await makeDisk(), { ...listen, limits, readonly: args.has("readonly"), signal: end.signal });
    const closed = server.closed.then(
      () => 0,
      (error: unknown) => {
        log(errorText(error));
        return 1;
      },
    );
    let code = 0;
    let stopMore: (() => void) | undefined;
    try {
      end.signal.throwIfAborted();
      stopMore = await listenOnMore(server, sockets.slice(1), log);
      code = await (startCommand(server, args, host, end, credentials) ?? closed);
    } finally {
      stopMore?.();
      // What fails in closing is told by `closed` too.
      await server.close().catch(() => undefined);
    }
    return code === 0 ? await closed : code;
  } finally {
    end.stop();
  }
}

/** Tells the world that the server is ready, and starts the `--run` command if there is one. Answers with a promise of its exit code. */
function startCommand(
  server: Server,
  args: Arguments<ServeOption>,
  host: Host,
  end: EndWatch,
  credentials: Credentials | undefined,
): Promise<number> | undefined {
  const pidfile = args.value("pidfile");
  if (pidfile !== undefined) writePidfile(pidfile, host);
  announce(server, args, host);
  const command = args.value("run");
  const captive = command === undefined ? undefined : startCaptive(captiveScript(command, variables(server, args)), host);
  if (captive !== undefined) end.leaveToCommand();
  try {
    // The command stays who we were.
    if (credentials !== undefined) become(credentials, [...(pidfile === undefined ? [] : [pidfile]), ...privateSocket(server, args)]);
  } catch (error) {
    captive?.stop();
    captive?.ended.catch(() => undefined);
    throw error;
  }
  return captive?.ended;
}

function announce(server: Server, args: Arguments<ServeOption>, host: Host): void {
  const uri = server.uriOf(args.value("exportname") ?? "");
  if (uri === undefined) return;
  if (args.has("print-uri")) host.stdout.write(`${uri}\n# Try it with: nbdinfo ${shellQuote(uri)}\n`);
  else if (host.stderr.isTTY && !args.has("run")) complain(host, `serving ${uri} until Ctrl-C`);
}

function variables(server: Server, args: Arguments<ServeOption>): CaptiveVariables {
  const { address } = server;
  const exportname = args.value("exportname") ?? "";
  return {
    uri: server.uriOf(exportname) ?? "",
    exportname,
    port: address?.transport === "tcp" ? String(address.port) : "",
    unixsocket: address?.transport === "unix" ? address.path : "",
  };
}

/** The private socket and its directory, which the server removes at its end. */
function privateSocket({ address }: Server, args: Arguments<ServeOption>): readonly string[] {
  const unix = args.value("unix");
  return address?.transport === "unix" && (unix === undefined || unix === "-") ? [dirname(address.path), address.path] : [];
}
