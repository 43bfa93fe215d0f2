// What http() can be told, and the checks of it.

import type { Clock, Duration, Secret, Size } from "diskwright";
import { DiskError, parseDuration, parseSize, systemClock } from "diskwright";
import { assertPairs, type HeaderValues } from "./header-values.ts";
import { proxyUrl } from "./proxy-url.ts";
import { assertTls, type HttpTlsOptions } from "./tls.ts";

/** What a callback that makes headers or cookies is told. */
export interface RenewalContext {
  /** The URL, as it was given. */
  readonly url: string;
  /** How often the callback has been called before: 0 the first time. */
  readonly iteration: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** Makes headers anew for as long as the old ones last; see {@link HttpOptions.renewAfter}. */
export type HeaderCallback = (context: RenewalContext) => HeaderValues | PromiseLike<HeaderValues>;

/** Makes the value of the Cookie header, as {@link HeaderCallback} makes headers. */
export type CookieCallback = (context: RenewalContext) => string | PromiseLike<string>;

/** A proxy, and who we are to it. */
export interface HttpProxy {
  /** `http://host:port`, `https://…` or `socks5://…`. */
  readonly url: string;
  readonly user?: string;
  readonly password?: Secret;
}

/** How {@link http} reads. Times are seconds, or strings with a unit: `"500ms"`. */
export interface HttpOptions {
  /** User name for basic authentication; one in the URL counts as well. It is sent to the URL's own server only, not where that redirects to. */
  readonly user?: string;
  /** Password for basic authentication: a value, or a function that fetches it when it is needed. */
  readonly password?: Secret;
  /** Token for `Authorization: Bearer`; sent where `user` is. */
  readonly bearer?: Secret;
  /** Further headers, or a callback that makes them; sent where `user` is. */
  readonly headers?: HeaderValues | HeaderCallback;
  /** Value of the Cookie header (`"a=1; b=2"`), or a callback that makes it; sent where `user` is. */
  readonly cookies?: string | CookieCallback;
  /**
   * How long what a callback answered may be used. It is asked again once that has passed, and whenever the server answers 401 or 403.
   * Default: 0, for as long as the server takes it.
   */
  readonly renewAfter?: Duration;
  /** The User-Agent header. Default: none. */
  readonly userAgent?: string;
  /** How many redirects are followed, one after the other; 0 for none. Default: 10. */
  readonly redirects?: number;
  /** The protocols that may be used, also after a redirect. Default: both for an http URL, `https` alone for an https one. */
  readonly protocols?: readonly ("http" | "https")[];
  /**
   * Checks by ETag or Last-Modified that each answer is of the version of the file that was opened. `false` is for servers that name versions
   * wrongly; the size is still checked. Default: true.
   */
  readonly validate?: boolean;
  /** Connections to each server that may be open at once, for all clients together. Default: 16. */
  readonly connections?: number;
  /** Bytes that may be read ahead for each client that reads from front to back; 0 for none. Default: `8M`. */
  readonly readAhead?: Size;
  /** How long connecting may take, TLS included. 0: no limit. Default: 10. */
  readonly connectTimeout?: Duration;
  /** How long the server may take to begin its answer. 0: no limit. Default: 30. */
  readonly headersTimeout?: Duration;
  /** How long the server may pause in the middle of an answer. 0: no limit. Default: 30. */
  readonly bodyTimeout?: Duration;
  /** How long a request may take altogether. 0: no limit. Default: 0. */
  readonly requestTimeout?: Duration;
  /** How often a request that failed in passing (a broken connection, a time-out, 408, 429, 500, 502, 503, 504) is tried again. Default: 5. */
  readonly retries?: number;
  /** The wait before the first retry; it doubles with each. Default: `"250ms"`. */
  readonly retryDelay?: Duration;
  /** The longest wait. A server that asks for a longer one, by Retry-After, is not tried again. Default: 30. */
  readonly retryMaxDelay?: Duration;
  /** A proxy to go through. Default: none; environment variables are not looked at. */
  readonly proxy?: string | HttpProxy;
  /** Path of a unix socket to connect to, whatever host the URL names. */
  readonly unixSocket?: string;
  /** TLS: whom to trust, and who we are. */
  readonly tls?: HttpTlsOptions;
  /** Uses HTTP/2 where the server offers it (https only). Default: false, as HTTP/1.1 is quicker here. */
  readonly http2?: boolean;
  /** The time, for tests. Default: that of the system. */
  readonly clock?: Clock;
}

/** The options, checked, with times in milliseconds. */
export interface Settings {
  readonly urls: readonly URL[];
  readonly given: HttpOptions;
  readonly renewAfter: number;
  readonly redirects: number;
  readonly protocols: readonly string[] | undefined;
  readonly validate: boolean;
  readonly connections: number;
  readonly readAhead: number;
  readonly connectTimeout: number;
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
  readonly requestTimeout: number;
  readonly retries: number;
  readonly retryDelay: number;
  readonly retryMaxDelay: number;
  readonly clock: Clock;
}

/**
 * Checks what http() was given.
 *
 * @throws DiskError EINVAL that names the option
 */
export function check(target: string | URL | readonly (string | URL)[], options: HttpOptions): Settings {
  const { user, password, bearer, headers, cookies, protocols, validate = true, clock = systemClock } = options;
  if (bearer !== undefined && (user !== undefined || password !== undefined))
    throw refuse("options user and bearer: there is one Authorization header: give one of them");
  if (password !== undefined && user === undefined && !urlsOf(target).some((url) => url.username !== ""))
    throw refuse("option password: it belongs to user");
  if (typeof headers !== "function") assertPairs(headers ?? {}, "option headers");
  if (cookies !== undefined && typeof cookies !== "function") assertPairs({ cookie: cookies }, "option cookies");
  if (options.userAgent !== undefined) assertPairs({ "user-agent": options.userAgent }, "option userAgent");
  for (const name of ["validate", "http2"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "boolean") throw refuse(`option ${name}: ${String(value)} is neither true nor false`);
  }
  if (protocols !== undefined && (protocols.length === 0 || protocols.some((name) => name !== "http" && name !== "https")))
    throw refuse(`option protocols: ${JSON.stringify(protocols)}: expected a list of "http" and "https"`);
  if (options.unixSocket !== undefined && options.proxy !== undefined)
    throw refuse("options unixSocket and proxy: a request goes one of these ways: give one of them");
  if (options.proxy !== undefined) proxyUrl(typeof options.proxy === "string" ? options.proxy : options.proxy.url);
  assertTls(options.tls ?? {});
  const urls = urlsOf(target);
  for (const url of urls) {
    if (protocols !== undefined && !protocols.includes(url.protocol.slice(0, -1) as "http"))
      throw refuse(`url ${shownUrl(url)}: option protocols allows ${protocols.join(" and ")} alone`);
  }
  return {
    urls,
    given: options,
    renewAfter: time("renewAfter", options.renewAfter, 0),
    redirects: count("redirects", options.redirects, 10, 0, 100),
    protocols,
    validate,
    connections: count("connections", options.connections, 16, 1, 1024),
    readAhead: readAheadOf(options.readAhead),
    connectTimeout: time("connectTimeout", options.connectTimeout, 10),
    headersTimeout: time("headersTimeout", options.headersTimeout, 30),
    bodyTimeout: time("bodyTimeout", options.bodyTimeout, 30),
    requestTimeout: time("requestTimeout", options.requestTimeout, 0),
    retries: count("retries", options.retries, 5, 0, 1_000_000),
    retryDelay: time("retryDelay", options.retryDelay, 0.25),
    retryMaxDelay: time("retryMaxDelay", options.retryMaxDelay, 30),
    clock,
  };
}

/** A URL as errors show it: without its password, and without a query, which may be a signature. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`;
}

function urlsOf(target: string | URL | readonly (string | URL)[]): URL[] {
  const list = typeof target === "string" || target instanceof URL ? [target] : target;
  if (!Array.isArray(list) || list.length === 0) throw refuse("http(): expected a URL, or a list of the URLs of mirrors");
  return list.map((item: string | URL) => {
    const url = URL.canParse(String(item)) ? new URL(item) : undefined;
    if (url === undefined) throw refuse(`url ${JSON.stringify(String(item))}: expected http://host/path or https://host/path`);
    if (url.protocol === "http:" || url.protocol === "https:") return url;
    throw refuse(`url ${url.protocol}//…: http and https URLs can be read, others cannot${url.protocol === "file:" ? ": use file()" : ""}`);
  });
}

/** A timer of the system takes less than this, which is 24 days. */
const LONGEST = 2 ** 31;

function readAheadOf(size: Size | undefined): number {
  const bytes = parseSize(size ?? "8M", "option readAhead");
  if (bytes > 2n ** 32n) throw refuse(`option readAhead: ${bytes} bytes: at most 4G`);
  return Number(bytes);
}

function time(name: string, value: Duration | undefined, byDefault: number): number {
  const milliseconds = parseDuration(value ?? byDefault, `option ${name}`);
  if (milliseconds < LONGEST) return milliseconds;
  throw refuse(`option ${name}: ${String(value)}: at most 24 days`);
}

function count(name: string, value: number | undefined, byDefault: number, least: number, most: number): number {
  const chosen = value ?? byDefault;
  if (Number.isInteger(chosen) && chosen >= least && chosen <= most) return chosen;
  throw refuse(`option ${name}: ${String(value)}: expected a whole number from ${least} to ${most}`);
}

function refuse(text: string): DiskError {
  return new DiskError("EINVAL", text);
}
