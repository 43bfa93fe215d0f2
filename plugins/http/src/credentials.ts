// The headers that say who we are, or what the app wants to say: made when they are needed, renewed when they are old or refused.

import { type Awaitable, readSecret, type Secret, unlessAborted } from "diskwright";
import { assertPairs, type HeaderValues } from "./header-values.ts";
import type { HttpOptions, RenewalContext, Settings } from "./options.ts";

/** Name, value, name, value. */
export type Pairs = readonly string[];

/** The headers for one URL's own server. */
export class Credentials {
  readonly #url: URL;
  readonly #settings: Settings;
  readonly #signal: AbortSignal;
  readonly #elsewhere: Pairs;
  #kept: Pairs | undefined;
  #madeAt = 0;
  #making: Promise<Pairs> | undefined;
  #iteration = 0;

  /** @param signal - aborted when the plugin is closed; no client's, as what is made is for all of them */
  constructor(url: URL, settings: Settings, signal: AbortSignal) {
    this.#url = url;
    this.#settings = settings;
    this.#signal = signal;
    const { userAgent } = settings.given;
    this.#elsewhere = userAgent === undefined ? [] : ["user-agent", userAgent];
  }

  /**
   * The headers for a request to `url`: all of them for the server that they are meant for, and next to none for another that it redirects to.
   * At once, without a promise, where they are at hand.
   */
  for(url: URL, signal: AbortSignal): Awaitable<Pairs> {
    if (url.origin !== this.#url.origin) return this.#elsewhere;
    const { renewAfter, clock } = this.#settings;
    if (this.#kept !== undefined && (renewAfter === 0 || clock.now() - this.#madeAt < renewAfter)) return this.#kept;
    return unlessAborted(this.#making ?? this.#make(), signal);
  }

  /** The server refused `used`: tells whether there may be better ones now. */
  renew(used: Pairs): boolean {
    if (used === this.#elsewhere || !this.#changes()) return false;
    if (used === this.#kept) this.#kept = undefined;
    return true;
  }

  #make(): Promise<Pairs> {
    const context: RenewalContext = { url: this.#url.href, iteration: this.#iteration, signal: this.#signal };
    this.#iteration += 1;
    const making = this.#all(context).then((pairs) => {
      this.#kept = pairs;
      this.#madeAt = this.#settings.clock.now();
      return pairs;
    });
    const forget = (): void => {
      this.#making = undefined;
    };
    making.then(forget, forget);
    this.#making = making;
    return making;
  }

  async #all(context: RenewalContext): Promise<Pairs> {
    const { headers = {}, cookies } = this.#settings.given;
    const pairs = [...this.#elsewhere];
    const values: HeaderValues = typeof headers === "function" ? await headers(context) : headers;
    pairs.push(...assertPairs(values, typeof headers === "function" ? "what headers() answered" : "option headers"));
    if (cookies !== undefined) {
      const cookie = typeof cookies === "function" ? await cookies(context) : cookies;
      pairs.push(...assertPairs({ cookie }, "what cookies() answered"));
    }
    const authorization = await this.#authorization();
    if (authorization !== undefined) pairs.push(...assertPairs({ authorization }, "the password or token"));
    return pairs;
  }

  async #authorization(): Promise<string | undefined> {
    const { user, password, bearer } = this.#settings.given;
    if (bearer !== undefined) return `Bearer ${await textOf(bearer, "option bearer")}`;
    const name = user ?? decodeURIComponent(this.#url.username);
    if (name === "") return undefined;
    const word = password === undefined ? decodeURIComponent(this.#url.password) : await textOf(password, "option password");
    return `Basic ${Buffer.from(`${name}:${word}`).toString("base64")}`;
  }

  /** Whether asking again may give something else. */
  #changes(): boolean {
    const { headers, cookies, password, bearer }: HttpOptions = this.#settings.given;
    return [headers, cookies, password, bearer].some((one) => typeof one === "function");
  }
}

/** A secret as the text that it is in a header. */
export async function textOf(secret: Secret, name: string): Promise<string> {
  return Buffer.from(await readSecret(secret, name)).toString("utf8");
}
