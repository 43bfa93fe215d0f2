// Real pipes to a child. What Node.js itself makes are sockets, which a program cannot open anew as /dev/stdin, /dev/stdout or /dev/stderr.
//
// Node.js has no call that makes a pipe, so these are named ones (mkfifo), each opened at both ends, robbed of its name, and used once.

import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";

/** The pipes of one child. */
export interface ChildPipes {
  /** The child's ends: standard input, output and error. */
  readonly stdio: readonly [stdin: number | "ignore", stdout: number, stderr: number];
  readonly stdin: Socket | undefined;
  readonly stdout: Socket;
  readonly stderr: Socket;
  /** To be called once the child has its ends, or will never have them: it is to be the only one. */
  handedOver(): void;
}

/** Makes named pipes in a folder: how that is done is for the caller to say, as it takes a child. */
export type MakePipes = (folder: string, names: readonly string[]) => Promise<void>;

/** So many are made at a time. */
const BATCH = 48;
const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** A supply of pipes. */
export class Pipes {
  readonly #folder: string;
  readonly #make: MakePipes;
  readonly #names: string[] = [];
  #made = 0;
  #making: Promise<void> | undefined;

  /** @param folder - a folder that is not there yet; removing it is for the caller, when no child runs any more */
  constructor(folder: string, make: MakePipes) {
    this.#folder = folder;
    this.#make = make;
  }

  /** Whether pipes can be made at all. */
  async ready(): Promise<boolean> {
    try {
      await this.#more();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Pipes for a child.
   *
   * @param withInput - there is something to read; otherwise its standard input is empty
   */
  async take(withInput: boolean): Promise<ChildPipes> {
    while (this.#names.length < 3) {
      this.#making ??= this.#more();
      await this.#making;
    }
    const opened: number[] = [];
    const sockets: Socket[] = [];
    const open = (path: string, flags: number): number => {
      const fd = openSync(path, flags);
      opened.push(fd);
      return fd;
    };
    try {
      const input = withInput ? this.#writable(open) : undefined;
      const output = this.#readable(open);
      const errors = this.#readable(open);
      const socket = (fd: number, readable: boolean): Socket => {
        const made = new Socket({ fd, readable, writable: !readable });
        opened.splice(opened.indexOf(fd), 1);
        sockets.push(made);
        return made;
      };
      const stdin = input && socket(input.ours, false);
      return {
        stdin,
        stdout: socket(output.ours, true),
        stderr: socket(errors.ours, true),
        stdio: [input?.theirs ?? "ignore", output.theirs, errors.theirs],
        handedOver: () => {
          for (const { theirs } of [...(input ? [input] : []), output, errors]) closeSync(theirs);
        },
      };
    } catch (error) {
      for (const each of sockets) each.destroy();
      for (const fd of opened) closeSync(fd);
      throw error;
    }
  }

  /** Opening one end of a pipe waits for the other, unless that is open already or nobody is to wait. The child's ends are to wait later on. */
  #readable(open: (path: string, flags: number) => number): { readonly ours: number; readonly theirs: number } {
    return this.#once((path) => ({ ours: open(path, O_RDONLY | O_NONBLOCK), theirs: open(path, O_WRONLY) }));
  }

  #writable(open: (path: string, flags: number) => number): { readonly ours: number; readonly theirs: number } {
    return this.#once((path) => {
      const first = openSync(path, O_RDONLY | O_NONBLOCK);
      try {
        return { ours: open(path, O_WRONLY | O_NONBLOCK), theirs: open(path, O_RDONLY) };
      } finally {
        closeSync(first);
      }
    });
  }

  #once<T>(use: (path: string) => T): T {
    const path = join(this.#folder, this.#names.pop() as string);
    try {
      return use(path);
    } finally {
      unlinkSync(path);
    }
  }

  async #more(): Promise<void> {
    try {
      if (this.#made === 0) await mkdir(this.#folder, { mode: 0o700 });
      const names = Array.from({ length: BATCH }, (_, i) => String(this.#made + i));
      this.#made += BATCH;
      await this.#make(this.#folder, names);
      this.#names.push(...names);
    } finally {
      this.#making = undefined;
    }
  }
}
