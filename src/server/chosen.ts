// The export that a client has open: opened when it is first asked for, kept for the GO that follows, closed when the client turns to another
// or leaves.

import { isPromise } from "../contract/awaitable.ts";
import { everyStep, failAfter } from "../contract/every-step.ts";
import { release, retain } from "../contract/lifecycle.ts";
import type { ClientInfo, OpenRequest, Plugin } from "../contract/plugin.ts";
import type { Choice, Visible } from "./exports.ts";
import { type OpenedExport, openExport } from "./opened.ts";

/** Opens exports for one client, one at a time. The plugin of an open export stays started for as long as it is open. */
export class ChosenExport {
  readonly #maxPayload: number;
  readonly #disconnect: OpenRequest["disconnect"];
  readonly #report: (error: unknown) => void;
  #choice: Choice | undefined;
  #open: { readonly asked: string; readonly value: OpenedExport } | undefined;
  #opening: Promise<OpenedExport> | undefined;

  /**
   * @param maxPayload - the largest payload that the server takes
   * @param disconnect - lets the client go
   * @param report - told what fails in closing an export that the client has turned away from
   */
  constructor(maxPayload: number, disconnect: OpenRequest["disconnect"], report: (error: unknown) => void) {
    this.#maxPayload = maxPayload;
    this.#disconnect = disconnect;
    this.#report = report;
  }

  /** The name of the export that the client chose last. */
  get name(): string | undefined {
    return this.#choice?.exportName;
  }

  /** Whether an export is being opened. */
  get opening(): boolean {
    return this.#opening !== undefined;
  }

  /** Whether the client has this export of this plugin open, or is about to. */
  uses(plugin: Plugin, exportName: string): boolean {
    return (this.#open !== undefined || this.opening) && this.#choice?.plugin === plugin && this.#choice.exportName === exportName;
  }

  /** Opens the export that `name` stands for, or gives the one that is open under that name. */
  async open(name: string, visible: Visible, client: ClientInfo): Promise<OpenedExport> {
    if (this.#open?.asked === name) return this.#open.value;
    this.#opening = this.#change(name, visible, client);
    try {
      return await this.#opening;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Closes what is open, also what is still being opened, after its requests have been answered; none is taken from now on. */
  async close(): Promise<void> {
    if (this.#opening !== undefined) await this.#opening.catch(() => undefined);
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    const { disk, choice } = open.value;
    await everyStep(
      () => disk.close(),
      () => release(choice.plugin),
    );
  }

  async #change(name: string, visible: Visible, client: ClientInfo): Promise<OpenedExport> {
    if (this.#open !== undefined) {
      const before = this.#open;
      this.#open = undefined;
      await everyStep(
        () => before.value.disk.close(),
        () => release(before.value.choice.plugin),
      ).catch(this.#report);
    }
    const chosen = visible.choose(name, client);
    const choice = isPromise(chosen) ? await chosen : chosen;
    this.#choice = choice;
    await retain(choice.plugin);
    try {
      const value = await openExport(choice, client, this.#disconnect, this.#maxPayload);
      this.#open = { asked: name, value };
      return value;
    } catch (error) {
      return failAfter(error, () => release(choice.plugin));
    }
  }
}
