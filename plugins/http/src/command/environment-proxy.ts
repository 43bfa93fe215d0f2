// The proxy that the environment names, as libcurl looks for it.

/** The proxy for a URL, if there is one. `HTTP_PROXY` is not looked at: where programs are run by web servers it is a client's header. */
export function environmentProxy(target: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  if (!URL.canParse(target)) return undefined;
  const { protocol, hostname } = new URL(target);
  if (excluded(hostname, env.no_proxy ?? env.NO_PROXY ?? "")) return undefined;
  const own = protocol === "https:" ? (env.https_proxy ?? env.HTTPS_PROXY) : env.http_proxy;
  return own ?? env.all_proxy ?? env.ALL_PROXY;
}

/** Whether a list of hosts and domains, or `*`, has the host. */
function excluded(host: string, list: string): boolean {
  return list.split(/[\s,]+/).some((item) => {
    const name = item.replace(/^\./, "").toLowerCase();
    return item === "*" || (name !== "" && (host === name || host.endsWith(`.${name}`)));
  });
}
