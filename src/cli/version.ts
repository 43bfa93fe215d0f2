// The version that the command prints.

export { VERSION } from "../common/version.ts";
