// What can go wrong with a request, and what is to be done about it.

import { DiskError } from "diskwright";

/**
 * What is to be done about a failure: `again`, it may pass; `moved`, it is a redirect now;
 * `address`, nothing is there, which may pass where a redirect led there; `credentials`, they are
 * refused; `changed`, the file is another one now; `final`, nothing.
 */
export type Remedy = "again" | "moved" | "address" | "credentials" | "changed" | "final";

/** A request that failed. */
export class Failure extends DiskError {
  readonly remedy: Remedy;
  /** Milliseconds that the server asks to wait before the next request. */
  readonly after: number | undefined;

  constructor(
    remedy: Remedy,
    code: string,
    message: string,
    options: { readonly after?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(code, message, options);
    this.remedy = remedy;
    this.after = options.after;
  }
}

/** The failure that an answer with this status is. */
export function statusFailure(status: number, headers: Headers, shown: string): Failure {
  const fail = (remedy: Remedy, code: string, what: string): Failure =>
    new Failure(remedy, code, `${shown}: the server answered ${status}${what}`);
  switch (status) {
    case 401:
      return fail("credentials", "EACCES", ": it wants a user name and password, or a token, or refuses those that it was given");
    case 403:
      return fail("credentials", "EACCES", ": it does not allow this file to be read, or does not take the credentials");
    case 404:
    case 410:
      return fail("address", "ENOENT", ": there is no such file");
    case 407:
      return fail("final", "EACCES", ": the proxy wants a user name and password, or refuses those that it was given");
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504: {
      const after = retryAfter(headers["retry-after"]);
      return new Failure("again", "EIO", `${shown}: the server answered ${status}: ${busy[status]}`, { after });
    }
    case 412:
      return changed(shown, "it answered 412");
    default:
      return fail(status >= 300 && status < 400 ? "moved" : "final", "EIO", status < 400 ? ", which was not expected here" : "");
  }
}

/** The file is not the one that was opened. */
export function changed(shown: string, how: string): Failure {
  return new Failure(
    "changed",
    "EIO",
    `${shown}: the file on the server is not the one that was opened (${how}): it has changed, so nothing more is read of it. Open it again; if it has not changed, the option validate: false lets servers pass that say so wrongly`,
  );
}

const busy: Readonly<Record<number, string>> = {
  408: "the request took too long to arrive",
  429: "too many requests",
  500: "something went wrong there",
  502: "what is behind it did not answer properly",
  503: "it is too busy, or down for now",
  504: "what is behind it did not answer in time",
};

/** Headers of an answer, by their names in lower case. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** A header's value, where it is there once. */
export function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? (value.length === 1 ? value[0] : undefined) : value;
}

/** Milliseconds of a Retry-After header, which has seconds or a date (RFC 9110, section 10.2.3). */
export function retryAfter(value: string | string[] | undefined, now: number = Date.now()): number | undefined {
  const text = single(value)?.trim() ?? "";
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

const inPassing: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection broke",
  EPIPE: "the connection broke",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  ENETDOWN: "the network is down",
  EAI_AGAIN: "the host's name cannot be looked up just now",
  UND_ERR_SOCKET: "the connection broke",
  UND_ERR_CONNECT_TIMEOUT: "connecting took longer than connectTimeout",
  UND_ERR_HEADERS_TIMEOUT: "the server did not begin to answer within headersTimeout",
  UND_ERR_BODY_TIMEOUT: "the server paused for longer than bodyTimeout",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the answer was cut short",
  UND_ERR_INFO: "the connection broke",
  ERR_HTTP2_STREAM_ERROR: "the server ended the stream",
  ERR_HTTP2_SESSION_ERROR: "the connection broke",
  ERR_HTTP2_GOAWAY_SESSION: "the server closes the connection",
};

const timeouts = new Set(["ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);

/** The failure behind an error of undici or of the system. */
export function networkFailure(error: unknown, shown: string): Failure {
  if (error instanceof Failure) return error;
  const found = innermost(error);
  const passing = inPassing[found.code];
  if (passing !== undefined) {
    const code = timeouts.has(found.code) ? "ETIMEDOUT" : "EIO";
    return new Failure("again", code, `${shown}: ${passing} (${found.text})`, { cause: error });
  }
  return new Failure("final", found.code === "ENOTFOUND" ? "ENOENT" : "EIO", `${shown}: ${hint(found)}`, { cause: error });
}

function hint({ code, text }: { readonly code: string; readonly text: string }): string {
  if (code === "ENOTFOUND") return `there is no host of that name (${text})`;
  if (code.startsWith("HPE_")) return `what the server sent is not HTTP (${text})`;
  if (certificate.test(code)) return `the server's certificate is not trusted (${text}): give its authority with tls.ca (cainfo=)`;
  if (code === "EPROTO" || code.startsWith("ERR_SSL")) return `TLS failed (${text})`;
  if (code === "ENOENT" || code === "EACCES") return `the socket cannot be connected to (${text})`;
  return text;
}

const certificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;

/** The code and text that say most: several addresses may have been tried, and undici wraps some errors. */
function innermost(error: unknown): { readonly code: string; readonly text: string } {
  let at = error as { name?: unknown; code?: unknown; cause?: unknown; errors?: unknown; message?: unknown };
  for (let depth = 0; depth < 4; depth += 1) {
    const inner = (Array.isArray(at.errors) ? at.errors[0] : undefined) ?? (at.code === undefined ? at.cause : undefined);
    if (typeof inner !== "object" || inner === null) break;
    at = inner as typeof at;
  }
  // undici's parser does not always have a code.
  const code = at.name === "HTTPParserError" ? "HPE_" : "";
  return { code: typeof at.code === "string" ? at.code : code, text: String(at.message ?? error) };
}
