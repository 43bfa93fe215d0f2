// TLS: whom to trust, and who we are.

import type { SecureVersion } from "node:tls";
import { DiskError } from "diskwright";

/** TLS, in the words of Node's own `tls.connect()`. */
export interface HttpTlsOptions {
  /** Certificates (PEM) of the authorities to trust, instead of those that Node trusts. An empty list trusts none. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** Our certificate (PEM), for servers that ask for one. */
  readonly cert?: string | Uint8Array;
  /** The key (PEM) of `cert`. */
  readonly key?: string | Uint8Array;
  /** What `key` is encrypted with. */
  readonly passphrase?: string;
  /** The name that the server's certificate is to be of. Default: the URL's host. */
  readonly servername?: string;
  /** `false` takes any certificate: whoever is in between can then read and change everything. Default: true. */
  readonly verify?: boolean;
  /** The oldest version to use: `TLSv1.2`, `TLSv1.3` … Default: Node's. */
  readonly minVersion?: SecureVersion;
  /** The cipher suites to offer, as OpenSSL writes them. Default: Node's. */
  readonly ciphers?: string;
}

/**
 * Checks the options of TLS.
 *
 * @throws DiskError EINVAL that names the option
 */
export function assertTls({ ca, cert, key, verify, minVersion }: HttpTlsOptions): void {
  if ((cert === undefined) !== (key === undefined)) throw refuse("options tls.cert and tls.key: they belong together");
  if (verify !== undefined && typeof verify !== "boolean") throw refuse(`option tls.verify: ${String(verify)} is neither true nor false`);
  for (const one of [ca ?? []].flat() as unknown[]) {
    if (typeof one !== "string" && !(one instanceof Uint8Array)) throw refuse("option tls.ca: expected certificates as PEM text or bytes");
  }
  if (minVersion !== undefined && !["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"].includes(minVersion))
    throw refuse(`option tls.minVersion: ${JSON.stringify(minVersion)}: expected TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3`);
}

/** The same for Node's `tls.connect()`. */
export function connectOptions({ ca, verify, ...rest }: HttpTlsOptions): Record<string, unknown> {
  return {
    ...rest,
    ...(ca !== undefined && { ca: [ca].flat().map((one) => (typeof one === "string" ? one : Buffer.from(one))) }),
    ...(verify === false && { rejectUnauthorized: false }),
  };
}

function refuse(text: string): DiskError {
  return new DiskError("EINVAL", text);
}
