// Where a file is, after redirects, how large it is, and which version: by HEAD, or by asking for its first byte.

import type { Dispatcher } from "undici";
import type { Credentials, Pairs } from "./credentials.ts";
import { type Answer, exchange, type Request, type Sink } from "./exchange.ts";
import { Failure, single, statusFailure } from "./failure.ts";
import { type Settings, shownUrl } from "./options.ts";
import { parseContentRange, parseUnsatisfied } from "./range.ts";
import { type Version, versionOf } from "./version.ts";

/** Where a file was found. */
export interface Location {
  /** Its URL, after redirects. */
  readonly url: URL;
  readonly version: Version;
}

/** Who asks, and how. */
export interface Asking {
  readonly dispatcher: Dispatcher;
  readonly settings: Settings;
  readonly credentials: Credentials;
  readonly signal: AbortSignal;
  /** The URL as it was given. */
  readonly url: URL;
}

/** A request with everything but its own headers. */
export function requestTo(url: URL, method: "GET" | "HEAD", own: readonly string[], sent: Pairs, settings: Settings): Request {
  const { headersTimeout, bodyTimeout, requestTimeout } = settings;
  // What the server compresses on the way would have other offsets.
  const headers = ["accept-encoding", "identity", ...own, ...sent];
  return { method, url, headers, headersTimeout, bodyTimeout, requestTimeout };
}

/**
 * Finds the file.
 *
 * @throws Failure, also when the server has no ranges
 */
export async function locate(asking: Asking): Promise<Location> {
  const { url: given, settings } = asking;
  let url = given;
  for (let hops = 0; ; hops += 1) {
    const found = (await byHead(url, asking)) ?? (await byFirstByte(url, asking));
    if (!(found instanceof URL)) return { url, version: found };
    if (settings.redirects === 0)
      throw new Failure("final", "EIO", `${shownUrl(url)}: the server redirects to ${shownUrl(found)}, and redirects are not followed`);
    if (hops === settings.redirects)
      throw new Failure(
        "final",
        "ELOOP",
        `${shownUrl(given)}: more than ${settings.redirects} redirects, the last one to ${shownUrl(found)}`,
      );
    url = found;
  }
}

/** The version that HEAD tells of, or where it redirects to; `undefined` where HEAD does not say enough. */
async function byHead(url: URL, asking: Asking): Promise<Version | URL | undefined> {
  const answer = await ask(url, "HEAD", [], asking);
  const { status, headers } = answer;
  const redirect = redirectOf(answer, url, asking);
  if (redirect !== undefined) return redirect;
  if (status === 429 || status === 503) throw statusFailure(status, headers, shownUrl(url));
  const size = /^\d{1,16}$/.exec(single(headers["content-length"]) ?? "");
  // That a file is empty is believed when its first byte is not there.
  if (status !== 200 || !/\bbytes\b/i.test(String(headers["accept-ranges"])) || size === null || Number(size[0]) === 0) return undefined;
  return versionOf(headers, safe(Number(size[0]), url));
}

/** The same by a range of one byte, which also works where HEAD is refused, as by addresses that are signed for GET. */
async function byFirstByte(url: URL, asking: Asking): Promise<Version | URL> {
  const shown = shownUrl(url);
  const answer = await ask(url, "GET", ["range", "bytes=0-0"], asking, refuseWhole(shown));
  const redirect = redirectOf(answer, url, asking);
  if (redirect !== undefined) return redirect;
  const { status, headers } = answer;
  const empty = status === 416 ? parseUnsatisfied(headers["content-range"]) === 0 : status === 200;
  if (empty) return versionOf(headers, 0);
  if (status !== 206) throw statusFailure(status, headers, shown);
  const range = parseContentRange(headers["content-range"]);
  if (range?.first === 0 && range.last === 0 && range.size !== undefined) return versionOf(headers, safe(range.size, url));
  const text = `its Content-Range for the first byte is ${String(headers["content-range"])}`;
  throw new Failure("final", "EIO", `${shown}: the server does not say how large the file is: ${text}`);
}

/** Ends a transfer of the whole file before it begins; only an empty file is the same whole or not. */
function refuseWhole(shown: string): Sink {
  return {
    target: new Uint8Array(0),
    progress: () => undefined,
    begin({ status, headers }) {
      if (status !== 200 || single(headers["content-length"]) === "0") return false;
      throw new Failure(
        "final",
        "ENOTSUP",
        `${shown}: the server does not send ranges, only whole files, so the file cannot be read like a disk: download it (curl -O) and serve the copy, or have the server allow Range requests`,
      );
    },
  };
}

async function ask(url: URL, method: "GET" | "HEAD", own: readonly string[], asking: Asking, sink?: Sink): Promise<Answer> {
  const { dispatcher, settings, credentials, signal } = asking;
  for (let renewed = false; ; renewed = true) {
    const sent = await credentials.for(url, signal);
    const answer = await exchange(dispatcher, requestTo(url, method, own, sent, settings), signal, sink);
    if ((answer.status !== 401 && answer.status !== 403) || renewed || !credentials.renew(sent)) return answer;
  }
}

const redirects = new Set([301, 302, 303, 307, 308]);

function redirectOf({ status, headers }: Answer, from: URL, { settings, url: given }: Asking): URL | undefined {
  if (!redirects.has(status)) return undefined;
  const text = single(headers.location) ?? "";
  const refuse = (why: string): Failure => new Failure("final", "EIO", `${shownUrl(from)}: the server redirects (${status}) ${why}`);
  const to = URL.canParse(text, from.href) && text !== "" ? new URL(text, from) : undefined;
  if (to === undefined) throw refuse(text === "" ? "and does not say where to" : `to ${JSON.stringify(text)}, which is no URL`);
  const allowed = settings.protocols ?? (given.protocol === "https:" ? ["https"] : ["http", "https"]);
  if (!allowed.includes(to.protocol.slice(0, -1)))
    throw refuse(`to ${to.protocol}//…, which the option protocols does not allow (${allowed.join(", ")})`);
  return to;
}

/** Offsets are numbers here, which are exact to 8 PiB. */
function safe(size: number, url: URL): number {
  if (Number.isSafeInteger(size)) return size;
  throw new Failure("final", "EOVERFLOW", `${shownUrl(url)}: a file of ${size} bytes is larger than 8 PiB`);
}
