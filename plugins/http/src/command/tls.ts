// The keys of TLS: files instead of what is in them.

import { readdir, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { rootCertificates } from "node:tls";
import type { HttpTlsOptions } from "../tls.ts";
import type { Options } from "./keys.ts";

/** The options of TLS, where any of its keys was given. */
export async function tlsOf(options: Options): Promise<HttpTlsOptions | undefined> {
  const { cert, key, sslverify } = options;
  const ca = await authorities(options);
  const minVersion = versionOf(options["ssl-version"]);
  const ciphers = [options["tls13-ciphers"], options["ssl-cipher-list"]].filter((list) => list !== undefined).join(":");
  const tls: HttpTlsOptions = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert: await readFile(cert) }),
    ...(key !== undefined && { key: await readFile(key) }),
    ...(sslverify !== undefined && { verify: sslverify }),
    ...(minVersion !== undefined && { minVersion }),
    ...(ciphers !== "" && { ciphers }),
  };
  return Object.keys(tls).length === 0 ? undefined : tls;
}

async function authorities({ cainfo, capath }: Options): Promise<HttpTlsOptions["ca"]> {
  if (cainfo === undefined && capath === undefined) return undefined;
  const file = cainfo === undefined ? rootCertificates : cainfo === "" ? [] : [await readFile(resolve(cainfo), "utf8")];
  return [...file, ...(capath === undefined ? [] : await certificatesIn(capath))];
}

/** The files of a folder that have certificates in them. */
async function certificatesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink());
  const texts = await Promise.all(files.map(({ name }) => readFile(resolve(folder, name), "utf8").catch(() => "")));
  return [...new Set(texts.filter((text) => text.includes("-----BEGIN CERTIFICATE-----")))];
}

function versionOf(name: Options["ssl-version"]): HttpTlsOptions["minVersion"] {
  switch (name) {
    case undefined:
      return undefined;
    case "sslv2":
    case "sslv3":
      throw new Error(`ssl-version=${name}: SSL is broken, and not there any more: use tlsv1.2`);
    case "tlsv1":
    case "tlsv1.0":
      return "TLSv1";
    default:
      return name.replace("tls", "TLS") as "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
  }
}
