// What the service, or the way to it, said no with: as sentences for the person who has to act, and whether to try again.

import { DiskError } from "diskwright";

/** What the SDK's errors have that says something. */
interface Failure {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly Code?: string;
  readonly $retryable?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** An answer that is not what was asked for: shorter, longer, of another range. Tried again, as connections break. */
export class BrokenAnswer extends Error {
  override readonly name: string = "BrokenAnswer";
}

/** The status of the service's answer; undefined where there was none. */
export function statusOf(error: unknown): number | undefined {
  const failure = error as Failure | undefined;
  return failure?.$metadata?.httpStatusCode;
}

/** The service's own word for what is wrong: `NoSuchKey`, `AccessDenied` … */
export function wordOf(error: unknown): string {
  const { name, Code, code } = (error ?? {}) as Failure;
  return Code ?? name ?? code ?? "Error";
}

const passing: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
const skewed: ReadonlySet<string> = new Set(["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"]);
const brokenWays: ReadonlySet<string> = new Set([
  ...["ECONNRESET", "ECONNREFUSED", "EPIPE", "ETIMEDOUT", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ERR_STREAM_PREMATURE_CLOSE"],
  ...["UND_ERR_SOCKET", "HPE_INVALID_CONSTANT"],
]);

/** Whether another attempt may succeed. */
export function isPassing(error: unknown): boolean {
  const failure = error as Failure;
  if (error instanceof BrokenAnswer || failure.name === "TimeoutError" || failure.name === "RequestTimeout") return true;
  const status = statusOf(error);
  // An answer that said yes and could not be read was cut off, or is not the service's.
  if (status !== undefined && (passing.has(status) || status < 300)) return true;
  // The SDK has corrected its clock by the answer's.
  if (skewed.has(wordOf(error))) return true;
  return brokenWays.has(failure.code ?? "") || (status === undefined && failure.$retryable !== undefined);
}

/**
 * Says what happened.
 *
 * @param what - what was to be done: "read s3://bucket/key"
 * @param attempts - how often it was tried
 */
export function explain(
  error: unknown,
  what: string,
  attempts: number,
  place: { readonly region?: string | undefined; readonly bucket: string },
): DiskError {
  if (DiskError.is(error)) return error;
  const failure = (error ?? {}) as Failure;
  const tried = attempts > 1 ? ` (tried ${attempts} times)` : "";
  const say = (code: string, why: string): DiskError => new DiskError(code, `cannot ${what}: ${why}${tried}`, { cause: error });
  const word = wordOf(error);
  const status = statusOf(error);
  const named = `${status ?? ""} ${word}`.trim();

  if (error instanceof BrokenAnswer) return say("EIO", error.message);
  if (failure.name === "TimeoutError" || word === "RequestTimeout")
    return say("ETIMEDOUT", `the service did not answer in time: ${failure.message}`);
  if (skewed.has(word)) return say("EACCES", `this machine's clock and the service's are too far apart (${named}): set the clock`);
  if (/Credentials?Provider|TokenProvider/i.test(failure.name ?? "")) {
    return say("EACCES", `there are no credentials: give some, or set up those of AWS tools (${firstLine(failure.message)})`);
  }
  if (failure.message === "Region is missing") return say("EINVAL", "no region is set: give one (region), or set AWS_REGION");
  const region = failure.$response?.headers?.["x-amz-bucket-region"];
  if (status === 301 || status === 307 || word === "AuthorizationHeaderMalformed" || word === "PermanentRedirect") {
    const where = region === undefined ? "in another region, or at another endpoint" : `in the region ${region}`;
    return say(
      "EINVAL",
      `the bucket ${place.bucket} is ${where}, not ${place.region ?? "where it was asked for"} (${named}): set the region`,
    );
  }
  if (status !== undefined && status < 300) return say("EIO", `the service's answer cannot be read: ${firstLine(failure.message)}`);
  if (word === "NoSuchBucket") return say("ENOENT", `there is no bucket ${place.bucket}`);
  if (word === "InvalidAccessKeyId") return say("EACCES", `the service does not know this access key (${named})`);
  if (word === "SignatureDoesNotMatch") return say("EACCES", `the secret key does not belong to the access key (${named})`);
  if (word === "ExpiredToken" || word === "ExpiredTokenException") return say("EACCES", `the session token has expired (${named})`);
  if (status === 403 || status === 401) return say("EACCES", `the credentials do not allow it (${named})`);
  if (status === 404) return say("ENOENT", `it is not there (${named})`);
  if (status === 507 || word === "QuotaExceeded") return say("ENOSPC", `the service has no room left (${named})`);
  if (status === 501) return say("ENOTSUP", `the service cannot do that (${named})`);
  if (status === 503 || status === 429) return say("EIO", `the service asks for fewer requests (${named}: ${firstLine(failure.message)})`);
  if (status !== undefined) return say("EIO", `the service answered ${named}: ${firstLine(failure.message)}`);
  if (failure.code === "ENOTFOUND") return say("ENOENT", `the host of the service is not known: ${failure.message}`);
  return say(failure.code ?? "EIO", firstLine(failure.message ?? String(error)));
}

function firstLine(text: string | undefined): string {
  return (text ?? "").split("\n")[0] ?? "";
}
