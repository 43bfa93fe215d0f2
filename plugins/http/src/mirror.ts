// One URL of the file, as one client uses it: found when it is first needed, found anew when what it redirected to has expired.

import { isPromise } from "diskwright";
import type { Pairs } from "./credentials.ts";
import { exchange } from "./exchange.ts";
import { changed, Failure } from "./failure.ts";
import { type Asking, type Location, locate, requestTo } from "./locate.ts";
import { shownUrl } from "./options.ts";
import { assertPartial, rangeHeader, rangeSink } from "./range.ts";
import { assertSame, conditions, type Version } from "./version.ts";

/** Reads ranges of the file from one URL, without retries but those that a new address or new credentials call for. */
export class Mirror {
  readonly #asking: Asking;
  #location: Location | undefined;
  #finding: Promise<Location> | undefined;
  /** The version that was found first. */
  #version: Version | undefined;

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  get url(): URL {
    return this.#asking.url;
  }

  /** Finds the file; answers with the version that this mirror has. */
  async open(): Promise<Version> {
    return (await this.#locate()).version;
  }

  /**
   * Fills `target` with the bytes at `offset`.
   *
   * @param size - what the file has to have
   * @param progress - told how many bytes of the target have been filled
   * @throws Failure
   */
  async read(target: Uint8Array, offset: number, size: number, progress: (bytes: number) => void): Promise<void> {
    let moved = false;
    let renewed = false;
    for (;;) {
      const location = this.#location ?? (await this.#locate());
      if (location.version.size !== size)
        throw new Failure(
          "final",
          "EIO",
          `${shownUrl(location.url)}: the file has ${location.version.size} bytes here, and not ${size}: it is no mirror`,
        );
      const given = this.#asking.credentials.for(location.url, this.#asking.signal);
      const sent = isPromise(given) ? await given : given;
      try {
        await this.#request(location, sent, target, offset, progress);
        return;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        const { remedy } = error;
        if (remedy === "credentials" && !renewed && this.#asking.credentials.renew(sent)) {
          renewed = true;
        } else if (!moved && this.#mayMove(location, error)) {
          moved = true;
          if (this.#location === location) this.#location = undefined;
        } else throw error;
      }
    }
  }

  async #request(
    { url, version }: Location,
    sent: Pairs,
    target: Uint8Array,
    offset: number,
    progress: (bytes: number) => void,
  ): Promise<void> {
    const { dispatcher, settings, signal } = this.#asking;
    const { validate } = settings;
    const own = ["range", rangeHeader(offset, target.length), ...(validate ? conditions(version) : [])];
    const shown = shownUrl(url);
    const sink = rangeSink({ offset, target, version, validate, shown, progress });
    assertPartial(await exchange(dispatcher, requestTo(url, "GET", own, sent, settings), signal, sink), shown);
  }

  /** What a redirect led to may have expired; what was given may have become a redirect. */
  #mayMove({ url }: Location, { remedy }: Failure): boolean {
    if (remedy === "moved") return true;
    return (remedy === "address" || remedy === "credentials") && url.href !== this.#asking.url.href;
  }

  #locate(): Promise<Location> {
    this.#finding ??= this.#find().finally(() => {
      this.#finding = undefined;
    });
    return this.#finding;
  }

  async #find(): Promise<Location> {
    const { settings } = this.#asking;
    const found = await locate(this.#asking);
    const shown = shownUrl(found.url);
    if (this.#version !== undefined) {
      const { size, etag, lastModified } = found.version;
      if (size !== this.#version.size) throw changed(shown, `it had ${this.#version.size} bytes, and has ${size}`);
      if (settings.validate) assertSame(this.#version, { etag, "last-modified": lastModified }, shown);
    }
    this.#version ??= found.version;
    this.#location = { url: found.url, version: this.#version };
    return this.#location;
  }
}
