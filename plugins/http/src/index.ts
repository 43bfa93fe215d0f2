// The public surface of @diskwright/http.

export type { HeaderValues } from "./header-values.ts";
export { http } from "./http.ts";
export type { CookieCallback, HeaderCallback, HttpOptions, HttpProxy, RenewalContext } from "./options.ts";
export type { HttpTlsOptions } from "./tls.ts";
