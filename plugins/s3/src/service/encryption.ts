// Server-side encryption: what requests have to say of it.

import { DiskError, readSecret } from "diskwright";
import type { S3Encryption } from "../options.ts";

/** What each request for an object's content has to have where the key is the customer's. */
export interface CustomerKey {
  readonly SSECustomerAlgorithm?: string;
  readonly SSECustomerKey?: string;
}

/** What writing requests have to have. */
export interface StoredWith {
  readonly ServerSideEncryption?: "AES256" | "aws:kms";
  readonly SSEKMSKeyId?: string;
}

/** What to send for an encryption. Throws EINVAL when a customer's key has not 32 bytes. */
export async function readKeys(
  encryption: S3Encryption | undefined,
): Promise<{ readonly customer: CustomerKey; readonly stored: StoredWith }> {
  if (encryption === undefined) return { customer: {}, stored: {} };
  if (typeof encryption === "string") return { customer: {}, stored: { ServerSideEncryption: encryption } };
  if ("kmsKeyId" in encryption) return { customer: {}, stored: { ServerSideEncryption: "aws:kms", SSEKMSKeyId: encryption.kmsKeyId } };
  const key = await readSecret(encryption.customerKey, "customerKey");
  if (key.length !== 32) throw new DiskError("EINVAL", `customerKey: expected 32 bytes, not ${key.length}`);
  // The SDK adds the digest that goes with it.
  return { customer: { SSECustomerAlgorithm: "AES256", SSECustomerKey: Buffer.from(key).toString("base64") }, stored: {} };
}
