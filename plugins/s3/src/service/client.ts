// The AWS SDK's client, set up as the options say.

import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { readSecret, type Secret } from "diskwright";
import type { S3Credentials, Settings } from "../options.ts";

type Identity = { accessKeyId: string; secretAccessKey: string; sessionToken?: string; expiration?: Date };

/** Makes a client. Each request is tried once: what to try again is decided where also the body of an answer is seen. */
export function makeClient(settings: Settings): S3Client {
  const { endpoint, region, pathStyle, profile, credentials, connectTimeout, timeout, concurrency } = settings;
  const agent = { keepAlive: true, maxSockets: concurrency + 4 };
  const config: S3ClientConfig = {
    maxAttempts: 1,
    forcePathStyle: pathStyle,
    // Otherwise each large PUT gets a connection of its own, and waits for the service's consent.
    expectContinueHeader: false,
    requestHandler: { connectionTimeout: connectTimeout, socketTimeout: timeout, requestTimeout: 0, httpAgent: agent, httpsAgent: agent },
    ...(endpoint !== undefined && { endpoint }),
    ...toRegion(endpoint, region),
    ...(profile !== undefined && { profile }),
    ...toCredentials(credentials),
  };
  return quietly(() => new S3Client(config));
}

function toRegion(endpoint: string | undefined, region: string | undefined): S3ClientConfig {
  if (region !== undefined) return { region };
  // Other services than AWS mostly have no regions, but signatures have one.
  if (endpoint === undefined) return {};
  return { region: process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? "us-east-1" };
}

function toCredentials(credentials: Settings["credentials"]): S3ClientConfig {
  if (credentials === undefined) return {};
  if (credentials === "anonymous") {
    return { credentials: { accessKeyId: "", secretAccessKey: "" }, signer: { sign: async (request) => request } };
  }
  return { credentials: async () => toIdentity(typeof credentials === "function" ? await credentials() : credentials) };
}

async function toIdentity({ accessKeyId, secretAccessKey, sessionToken, expiration }: S3Credentials): Promise<Identity> {
  return {
    accessKeyId,
    secretAccessKey: await secretText(secretAccessKey, "the secret access key"),
    ...(sessionToken !== undefined && { sessionToken: await secretText(sessionToken, "the session token") }),
    ...(expiration !== undefined && { expiration }),
  };
}

async function secretText(secret: Secret, name: string): Promise<string> {
  return new TextDecoder().decode(await readSecret(secret, name));
}

const SWITCH = "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED";

/**
 * Makes something of the SDK without its warning that some day it will need a newer Node: those who see our terminal can do nothing about it. The SDK has
 * an environment variable for that, which is set for this moment only.
 */
function quietly<T>(make: () => T): T {
  const before = process.env[SWITCH];
  process.env[SWITCH] = "true";
  try {
    return make();
  } finally {
    if (before === undefined) delete process.env[SWITCH];
    else process.env[SWITCH] = before;
  }
}
