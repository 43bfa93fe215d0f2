// One request and its answer, whose body goes straight to where it is wanted.

import type { Dispatcher } from "undici";
import { Failure, type Headers, networkFailure } from "./failure.ts";
import { shownUrl } from "./options.ts";

/** A request to make. */
export interface Request {
  readonly method: "GET" | "HEAD";
  readonly url: URL;
  /** Name, value, name, value. */
  readonly headers: string[];
  /** Milliseconds that the server may pause; 0 for no limit. */
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
  /** Milliseconds that it may take altogether, once it is under way; 0 for no limit. */
  readonly requestTimeout: number;
}

/** What came back; a body that was not asked for has been thrown away. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
}

/** Where an answer's body goes. */
export interface Sink {
  /** The answer has begun: tells whether its body is wanted. Throw to refuse the answer. */
  begin(answer: Answer): boolean;
  /** Filled from its start; an answer of another length is refused. */
  readonly target: Uint8Array;
  /** So many bytes of the target have been filled. */
  progress(bytes: number): void;
}

/** Of a body that is not wanted, so much is read and thrown away to keep the connection; one that is longer costs the connection. */
const DISCARD = 64 * 1024;

/**
 * Makes a request.
 *
 * @param sink - where the body of the answer goes; without it nobody wants it
 * @throws Failure; the signal's reason once that is aborted. The target is not touched any more then
 */
export function exchange(dispatcher: Dispatcher, request: Request, signal: AbortSignal, sink?: Sink): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const { url, method, headers, headersTimeout, bodyTimeout } = request;
    const handler = new Handler(request, signal, sink, resolve, reject);
    const path = url.pathname + url.search;
    dispatcher.dispatch({ origin: url.origin, path, method, headers, headersTimeout, bodyTimeout }, handler);
  });
}

/** What undici tells of a request under way. */
class Handler implements Dispatcher.DispatchHandler {
  readonly #request: Request;
  readonly #signal: AbortSignal;
  readonly #sink: Sink | undefined;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort = (): void => this.#fail(this.#signal.reason);
  #controller: Dispatcher.DispatchController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #answer: Answer | undefined;
  #wanted = false;
  #received = 0;
  #settled = false;

  constructor(
    request: Request,
    signal: AbortSignal,
    sink: Sink | undefined,
    resolve: (answer: Answer) => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request;
    this.#signal = signal;
    this.#sink = sink;
    this.#resolve = resolve;
    this.#reject = reject;
    signal.addEventListener("abort", this.#onAbort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) {
      controller.abort(ended);
      return;
    }
    const { requestTimeout, url } = this.#request;
    if (requestTimeout === 0 || this.#timer !== undefined) return;
    const late = (): void => this.#fail(new Failure("again", "ETIMEDOUT", `${shownUrl(url)}: the request took longer than requestTimeout`));
    this.#timer = setTimeout(late, requestTimeout);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // 100 Continue and the like are not the answer.
    if (this.#settled || status < 200) return;
    this.#answer = { status, headers };
    try {
      this.#wanted = this.#sink?.begin(this.#answer) ?? false;
    } catch (error) {
      this.#fail(error);
    }
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#settled) return;
    const before = this.#received;
    this.#received += chunk.length;
    if (!this.#wanted) {
      if (this.#received > DISCARD) this.#succeed(true);
      return;
    }
    const { target, progress } = this.#sink as Sink;
    if (this.#received > target.length) {
      this.#fail(
        new Failure(
          "final",
          "EIO",
          `${shownUrl(this.#request.url)}: the server sent more than the ${target.length} bytes that were asked for`,
        ),
      );
      return;
    }
    target.set(chunk, before);
    progress(this.#received);
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    const wanted = this.#sink?.target.length ?? 0;
    if (this.#wanted && this.#received < wanted) {
      const text = `the answer was cut short: ${this.#received} of ${wanted} bytes came`;
      this.#fail(new Failure("again", "EIO", `${shownUrl(this.#request.url)}: ${text}`));
    } else this.#succeed(false);
  }

  onResponseError(_: unknown, error: Error): void {
    this.#fail(networkFailure(error, shownUrl(this.#request.url)));
  }

  #succeed(abort: boolean): void {
    this.#end();
    this.#resolve(this.#answer as Answer);
    if (abort) this.#controller?.abort(ended);
  }

  #fail(error: unknown): void {
    if (this.#settled) return;
    this.#end();
    this.#reject(error);
    this.#controller?.abort(ended);
  }

  #end(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}

/** Why a request is taken back: its caller has been told something better. */
const ended: Error = new Error("the rest of the answer is not wanted");
