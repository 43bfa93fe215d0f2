// A bucket: the few things that disks do with objects, each of them bounded, tried again where that may help, and ended when nobody wants it.

import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { DiskError, Turns } from "diskwright";
import { each } from "../each.ts";
import type { Settings } from "../options.ts";
import { readWhole } from "./body.ts";
import { makeClient } from "./client.ts";
import { type CustomerKey, readKeys, type StoredWith } from "./encryption.ts";
import { BrokenAnswer, explain, isPassing, statusOf, wordOf } from "./errors.ts";

/** What is known of an object. */
export interface ObjectFacts {
  /** Bytes. */
  readonly size: bigint;
  readonly etag: string | undefined;
}

/** A small object, read whole. */
export interface SmallObject {
  readonly text: string;
  readonly etag: string;
  /** Milliseconds since it was written, by the service's own clock, which knows seconds; undefined where it does not say. */
  readonly age: number | undefined;
}

/** An object in a list. */
export interface Listed {
  readonly key: string;
  readonly size: number;
}

/** On which condition an object is written: if it is still the one with this ETag, or if there is none. */
export type Condition = { readonly ifMatch: string } | { readonly ifNoneMatch: "*" };

/** An answer to a conditional write: the ETag of what was written, or that the condition did not hold. */
export type Written = { readonly etag: string } | "conflict";

/** The longest wait between two attempts. */
const LONGEST_DELAY = 10_000;
/** What small objects may have. */
const SMALL = 64 * 1024;
/** So many objects are deleted by one request. */
const AT_ONCE = 1000;

/** The objects of a bucket. */
export class Bucket {
  readonly #settings: Settings;
  readonly #client: S3Client;
  readonly #turns: Turns;
  #keys: Promise<{ readonly customer: CustomerKey; readonly stored: StoredWith }> | undefined;
  #deletesOneByOne = false;
  #bareEtags = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#client = makeClient(settings);
    this.#turns = new Turns(settings.concurrency);
  }

  /** What an object is called in messages. */
  nameOf(key: string): string {
    return `s3://${this.#settings.bucket}/${key}`;
  }

  /** Asks for an object's size. Throws ENOENT when it, or the bucket, is not there. */
  async head(key: string, signal: AbortSignal): Promise<ObjectFacts> {
    const { bucket, versionId } = this.#settings;
    const { customer } = await this.#encryption();
    const input = { Bucket: bucket, Key: key, ...(versionId !== undefined && { VersionId: versionId }), ...customer };
    try {
      const { ContentLength, ETag } = await this.#ask(`open ${this.nameOf(key)}`, signal, (abortSignal) =>
        this.#client.send(new HeadObjectCommand(input), { abortSignal }),
      );
      if (ContentLength === undefined)
        throw new DiskError("EIO", `cannot open ${this.nameOf(key)}: the service does not say how large it is`);
      return { size: BigInt(ContentLength), etag: ETag };
    } catch (error) {
      if (statusOf((error as Error).cause) !== 404) throw error;
      // The answer to a HEAD has no text: whether it is the bucket that is missing has to be asked for.
      await this.#ask(`open ${this.nameOf(key)}`, signal, (abortSignal) =>
        this.#client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal }),
      ).catch((missing: unknown) => {
        if (statusOf((missing as Error).cause) === 404)
          throw new DiskError("ENOENT", `cannot open ${this.nameOf(key)}: there is no bucket ${bucket}`);
      });
      throw new DiskError("ENOENT", `cannot open ${this.nameOf(key)}: there is no such object`, { cause: error });
    }
  }

  /**
   * Fills `target` with the bytes of an object from `from` on.
   *
   * @param expected - what the object must be: another one, or one of another size, is an error
   * @returns whether the object is there
   */
  async read(key: string, target: Uint8Array, from: bigint, expected: ObjectFacts, signal: AbortSignal): Promise<boolean> {
    const { bucket, versionId } = this.#settings;
    const end = from + BigInt(target.length) - 1n;
    const { customer } = await this.#encryption();
    const input = {
      Bucket: bucket,
      Key: key,
      Range: `bytes=${from}-${end}`,
      ...(expected.etag !== undefined && { IfMatch: expected.etag }),
      ...(versionId !== undefined && { VersionId: versionId }),
      ...customer,
    };
    try {
      await this.#ask(`read ${this.nameOf(key)}`, signal, async (abortSignal) => {
        const answer = await this.#client.send(new GetObjectCommand(input), { abortSignal });
        await this.#take(answer, key, target, from, expected, abortSignal);
      });
      return true;
    } catch (error) {
      const cause = (error as Error).cause;
      if (wordOf(cause) === "NoSuchKey" && statusOf(cause) === 404) return false;
      if (statusOf(cause) === 412) throw this.#replaced(key);
      if (statusOf(cause) === 416) throw this.#wrongSize(key, "fewer", expected.size);
      throw error;
    }
  }

  /** Reads a small object, such as a manifest; undefined when it is not there. */
  async readSmall(key: string, signal: AbortSignal, urgent = false): Promise<SmallObject | undefined> {
    const { customer } = await this.#encryption();
    // With a range, as the answer then says how long the object is, and one that was cut off is known.
    const input = { Bucket: this.#settings.bucket, Key: key, Range: `bytes=0-${SMALL - 1}`, ...customer };
    let date: string | undefined;
    try {
      return await this.#ask(
        `read ${this.nameOf(key)}`,
        signal,
        async (abortSignal) => {
          const command = new GetObjectCommand(input);
          command.middlewareStack.add(
            (next) => async (args) => {
              const result = await next(args);
              date = (result.response as { headers?: Record<string, string> }).headers?.date;
              return result;
            },
            { step: "deserialize", name: "dateOfAnswer" },
          );
          const { Body, ContentLength = 0, ContentRange, ETag, LastModified } = await this.#client.send(command, { abortSignal });
          if (Body === undefined || ETag === undefined) throw new BrokenAnswer("the answer has no body, or no ETag");
          const length = Number(/\/(\d+)$/.exec(ContentRange ?? "")?.[1] ?? ContentLength);
          if (length > SMALL) {
            (Body as { destroy?: () => void }).destroy?.();
            throw new DiskError("EIO", `${this.nameOf(key)} has ${length} bytes: it is none of ours`);
          }
          const bytes = new Uint8Array(length);
          await readWhole(Body as AsyncIterable<Uint8Array>, bytes, abortSignal);
          const now = date === undefined ? Number.NaN : Date.parse(date);
          const age = LastModified === undefined || Number.isNaN(now) ? undefined : Math.max(0, now - LastModified.getTime());
          return { text: new TextDecoder().decode(bytes), etag: ETag, age };
        },
        urgent,
      );
    } catch (error) {
      const cause = (error as Error).cause;
      if (wordOf(cause) === "NoSuchKey" && statusOf(cause) === 404) return undefined;
      throw error;
    }
  }

  /** Writes an object whole. */
  async write(key: string, content: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#put(key, content, undefined, signal, false);
  }

  /** Writes an object if the condition holds. Not kept waiting by other requests. */
  async writeIf(key: string, content: Uint8Array, condition: Condition, signal: AbortSignal): Promise<Written> {
    if (!("ifMatch" in condition)) return this.#putIf(key, content, condition, signal);
    const bare = { ifMatch: condition.ifMatch.replaceAll('"', "") };
    if (!this.#bareEtags) {
      const written = await this.#putIf(key, content, condition, signal);
      if (written !== "conflict") return written;
    }
    // Ceph compares what it is given with an ETag without its quotes: up to 16, none is the same with them.
    const written = await this.#putIf(key, content, bare, signal);
    if (written !== "conflict") this.#bareEtags = true;
    return written;
  }

  /** Deletes objects, whether they are there or not. */
  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    for (let at = 0; at < keys.length; at += AT_ONCE) await this.#deleteSome(keys.slice(at, at + AT_ONCE), signal);
  }

  /**
   * Lists objects, a page of at most 1000 at a time, in the order of their names.
   *
   * @param after - names up to this one are left out
   */
  async *list(prefix: string, after: string | undefined, signal: AbortSignal): AsyncGenerator<readonly Listed[], void, undefined> {
    let token: string | undefined;
    do {
      const input = {
        Bucket: this.#settings.bucket,
        Prefix: prefix,
        ...(token !== undefined ? { ContinuationToken: token } : after !== undefined && { StartAfter: after }),
      };
      const page = await this.#ask(`list ${this.nameOf(prefix)}`, signal, (abortSignal) =>
        this.#client.send(new ListObjectsV2Command(input), { abortSignal }),
      );
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      yield (page.Contents ?? []).map(({ Key = "", Size = 0 }) => ({ key: Key, size: Size }));
    } while (token !== undefined);
  }

  /** The error for an object that has to be there, and is not. */
  missing(key: string): DiskError {
    return new DiskError("EIO", `${this.nameOf(key)} is not there any more`);
  }

  /** Ends the connections. */
  close(): void {
    this.#client.destroy();
  }

  async #take(
    answer: GetObjectCommandOutput,
    key: string,
    target: Uint8Array,
    from: bigint,
    expected: ObjectFacts,
    signal: AbortSignal,
  ): Promise<void> {
    const { Body, ContentRange, ContentLength, ETag } = answer;
    if (Body === undefined) throw new BrokenAnswer("the answer has no body");
    const body = Body as AsyncIterable<Uint8Array> & { destroy?: () => void };
    try {
      if (expected.etag !== undefined && ETag !== undefined && ETag !== expected.etag) throw this.#replaced(key);
      const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange ?? "");
      // A service that does not know ranges answers with everything.
      const [first, last, size] =
        range === null ? [0n, BigInt(ContentLength ?? 0) - 1n, BigInt(ContentLength ?? -1)] : range.slice(1).map(BigInt);
      if (size !== expected.size) throw this.#wrongSize(key, `${size}`, expected.size);
      if (first !== from || last !== from + BigInt(target.length) - 1n) {
        if (range === null) throw new DiskError("ENOTSUP", `cannot read ${this.nameOf(key)}: the service does not know ranges`);
        throw new BrokenAnswer(`bytes ${from} to ${from + BigInt(target.length) - 1n} were asked for, and ${first} to ${last} came`);
      }
    } catch (error) {
      body.destroy?.();
      throw error;
    }
    await readWhole(body, target, signal);
  }

  async #putIf(key: string, content: Uint8Array, condition: Condition, signal: AbortSignal): Promise<Written> {
    try {
      return { etag: await this.#put(key, content, condition, signal, true) };
    } catch (error) {
      const status = statusOf((error as Error).cause);
      // 409: somebody else is writing it at this moment. 404: it was to be replaced, and is gone.
      if (status === 412 || status === 409 || status === 404) return "conflict";
      throw error;
    }
  }

  async #put(key: string, content: Uint8Array, condition: Condition | undefined, signal: AbortSignal, urgent: boolean): Promise<string> {
    const { customer, stored } = await this.#encryption();
    const input = {
      Bucket: this.#settings.bucket,
      Key: key,
      Body: content,
      ContentLength: content.length,
      ...(condition !== undefined && ("ifMatch" in condition ? { IfMatch: condition.ifMatch } : { IfNoneMatch: condition.ifNoneMatch })),
      ...customer,
      ...stored,
    };
    const { ETag } = await this.#ask(
      `write ${this.nameOf(key)}`,
      signal,
      (abortSignal) => this.#client.send(new PutObjectCommand(input), { abortSignal }),
      urgent,
    );
    return ETag ?? "";
  }

  async #deleteSome(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const { bucket, concurrency } = this.#settings;
    if (keys.length > 1 && !this.#deletesOneByOne) {
      const Objects = keys.map((Key) => ({ Key }));
      try {
        const { Errors = [] } = await this.#ask(`delete ${keys.length} objects of ${bucket}`, signal, (abortSignal) =>
          this.#client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }), { abortSignal }),
        );
        const [first] = Errors;
        if (first === undefined) return;
        throw new DiskError("EIO", `cannot delete ${this.nameOf(first.Key ?? "")}: ${first.Code} ${first.Message ?? ""}`);
      } catch (error) {
        // Some services do not know how to delete several at once, or want it signed in another way.
        const status = statusOf((error as Error).cause);
        if (status !== 400 && status !== 501 && status !== 405) throw error;
        this.#deletesOneByOne = true;
      }
    }
    await each(keys, concurrency, async (key) => {
      await this.#ask(`delete ${this.nameOf(key)}`, signal, (abortSignal) =>
        this.#client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal }),
      );
    });
  }

  /** Does a request, when it is its turn, as often as it takes and is allowed. What it throws has the last error as its cause. */
  async #ask<T>(what: string, signal: AbortSignal, attempt: (signal: AbortSignal) => Promise<T>, urgent = false): Promise<T> {
    const { maxAttempts, retryDelay, clock, region, bucket } = this.#settings;
    for (let attempts = 1; ; attempts += 1) {
      try {
        return urgent ? await attempt(signal) : await this.#turns.run(() => attempt(signal), signal);
      } catch (error) {
        if (signal.aborted) throw gone(signal, what);
        if (attempts >= maxAttempts || !isPassing(error)) throw explain(error, what, attempts, { region, bucket });
      }
      const delay = Math.min(LONGEST_DELAY, retryDelay * 2 ** (attempts - 1));
      try {
        // Not all at the same moment.
        await clock.sleep(delay * (0.5 + Math.random() / 2), signal);
      } catch {
        throw gone(signal, what);
      }
    }
  }

  #encryption(): Promise<{ readonly customer: CustomerKey; readonly stored: StoredWith }> {
    this.#keys ??= readKeys(this.#settings.encryption).catch((error: unknown) => {
      this.#keys = undefined;
      throw error;
    });
    return this.#keys;
  }

  #replaced(key: string): DiskError {
    return new DiskError("EIO", `${this.nameOf(key)} was replaced since it was opened: open it again`);
  }

  #wrongSize(key: string, has: string, expected: bigint): DiskError {
    return new DiskError("EIO", `${this.nameOf(key)} has ${has} bytes, not the ${expected} that it is to have`);
  }
}

/** Why a request was given up. */
function gone(signal: AbortSignal, what: string): Error {
  if (DiskError.is(signal.reason)) return signal.reason;
  return new DiskError("ESHUTDOWN", `gave up to ${what}: nobody waits for it any more`, { cause: signal.reason });
}
