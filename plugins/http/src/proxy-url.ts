// Where a proxy is, as curl takes it.

import { DiskError } from "diskwright";

/**
 * Checks where a proxy is.
 *
 * @throws DiskError EINVAL
 */
export function proxyUrl(text: string): URL {
  // As curl takes it: host:port is an HTTP proxy.
  const full = /^[a-z0-9]+:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url !== undefined && ["http:", "https:", "socks5:", "socks:"].includes(url.protocol)) return url;
  throw new DiskError(
    "EINVAL",
    `option proxy: ${JSON.stringify(text.replace(/\/\/.*@/, "//…@"))}: expected http://host:port, https:// or socks5://`,
  );
}
