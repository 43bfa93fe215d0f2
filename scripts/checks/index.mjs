// Our own checks: each takes the folder of a tree and answers what is wrong with it.

export { docs } from "./docs.mjs";
export { exported } from "./exports.mjs";
export { imports } from "./imports.mjs";
export { links } from "./links.mjs";
export { packaged } from "./package.mjs";
export { paths } from "./paths.mjs";
