// What the objects of a chunked disk are called. Those with its content are called as nbdkit's S3 plugin calls them.

/** Names of objects below a key. */
export class Names {
  /** What all of them begin with. */
  readonly prefix: string;
  /** The object that says what the disk is. */
  readonly manifest: string;
  /** The object that says who writes. */
  readonly lease: string;

  constructor(key: string) {
    this.prefix = `${key}/`;
    this.manifest = `${key}/diskwright-manifest`;
    this.lease = `${key}/diskwright-lease`;
  }

  /** The object with the bytes from `number * objectSize` on. */
  of(number: number): string {
    return this.prefix + number.toString(16).padStart(16, "0");
  }

  /** The number of an object; undefined when it is not of the disk's content. */
  numberOf(name: string): number | undefined {
    const digits = name.slice(this.prefix.length);
    return name.startsWith(this.prefix) && /^[0-9a-f]{16}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
  }
}
