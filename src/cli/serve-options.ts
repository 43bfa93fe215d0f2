// The options of `diskwright serve`: nbdkit's, with what is not there refused in words.

import type { OptionSpec } from "./arguments.ts";

const tls = "TLS is not there yet; use a unix socket (-U), an ssh tunnel, or a trusted network";

/** The name of an option of `diskwright serve`. */
export type ServeOption =
  | "unix"
  | "port"
  | "ipaddr"
  | "ipv4-only"
  | "ipv6-only"
  | "single"
  | "run"
  | "exportname"
  | "filter"
  | "readonly"
  | "threads"
  | "timeout"
  | "pidfile"
  | "print-uri"
  | "exit-with-parent"
  | "user"
  | "group"
  | "log"
  | "verbose"
  | "debug"
  | "foreground"
  | "newstyle"
  | "tls"
  | "dump-plugin"
  | "dump-config"
  | "help"
  | "version"
  | "oldstyle"
  | "vsock"
  | "swap"
  | "selinux-label"
  | "tls-certificates"
  | "tls-psk"
  | "tls-verify-peer"
  | "mask-handshake"
  | "no-sr"
  | "no-mc"
  | "keepalive";

/** Every option of `diskwright serve`, in the order of the help. */
export const serveOptions: readonly OptionSpec<ServeOption>[] = [
  { name: "unix", short: "U", value: "PATH", help: "Listen on a unix socket; -U - makes a private one" },
  { name: "port", short: "p", value: "PORT", help: "Listen on this TCP port (default: 10809); 0 picks a free one" },
  { name: "ipaddr", aliases: ["ip-addr"], short: "i", value: "ADDR", help: "Listen on this address or name (default: 127.0.0.1)" },
  { name: "ipv4-only", short: "4", help: "Listen on IPv4 only" },
  { name: "ipv6-only", short: "6", help: "Listen on IPv6 only" },
  { name: "single", aliases: ["stdin"], short: "s", help: "Serve one client on standard input and output" },
  { name: "run", value: "CMD", help: "Serve for as long as this shell command runs; it knows $uri $nbd $unixsocket $port $exportname" },
  { name: "exportname", aliases: ["export", "export-name"], short: "e", value: "NAME", help: "The export name in $uri and --print-uri" },
  { name: "filter", value: "NAME", help: "See the disk through a filter; of several, the first is nearest the client" },
  { name: "readonly", aliases: ["read-only"], short: "r", help: "Refuse writes" },
  { name: "threads", short: "t", value: "N", help: "Requests under way for each client; 1 answers in order" },
  { name: "timeout", value: "TIME", help: "How long a client may negotiate: 30, 500ms … (default: 30 seconds); 0 for ever" },
  { name: "pidfile", aliases: ["pid-file"], short: "P", value: "PATH", help: "Write the process id here once ready" },
  { name: "print-uri", help: "Print the URI once ready" },
  { name: "exit-with-parent", help: "Stop when the parent process ends" },
  { name: "user", short: "u", value: "USER", help: "Become this user once listening" },
  { name: "group", short: "g", value: "GROUP", help: "Become this group once listening" },
  { name: "log", value: "WHERE", help: "Where errors go: stderr (default), null, or /path" },
  { name: "verbose", short: "v", help: "Print what happens, on standard error" },
  { name: "debug", short: "D", value: "NAME.FLAG=N", help: "" },
  { name: "foreground", aliases: ["no-fork"], short: "f", help: "Stay in the foreground (it always does)" },
  { name: "newstyle", aliases: ["new-style"], short: "n", help: "" },
  { name: "tls", value: "off", help: "Only off: TLS is not there yet" },
  { name: "dump-plugin", help: "Print what the plugin is, for programs" },
  { name: "dump-config", help: "Print what this program is, for programs" },
  { name: "help", short: "h", help: "Print this, and what the plugin and filters take" },
  { name: "version", short: "V", help: "Print the version" },

  {
    name: "oldstyle",
    aliases: ["old-style"],
    short: "o",
    help: "",
    refused: "the oldstyle protocol is obsolete: every client of today negotiates",
  },
  { name: "vsock", help: "", refused: "Node.js has no vsock sockets; let socket activation (LISTEN_FDS) pass one that listens" },
  { name: "swap", help: "", refused: "Node.js cannot lock its memory: do not swap to a disk that this machine serves itself" },
  {
    name: "selinux-label",
    value: "LABEL",
    help: "",
    refused: "Node.js cannot label sockets; label the socket with chcon, or let systemd make it",
  },
  { name: "tls-certificates", value: "PATH", help: "", refused: tls },
  { name: "tls-psk", value: "PATH", help: "", refused: tls },
  { name: "tls-verify-peer", help: "", refused: tls },
  { name: "mask-handshake", value: "MASK", help: "", refused: "leaving out parts of the protocol is not there yet" },
  { name: "no-sr", aliases: ["no-structured-replies"], help: "", refused: "leaving out structured replies is not there yet" },
  { name: "no-mc", aliases: ["no-meta-contexts"], help: "", refused: "leaving out meta contexts is not there yet" },
  { name: "keepalive", help: "", refused: "TCP keepalive is not there yet" },
];
