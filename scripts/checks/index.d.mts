// The types of index.mjs, for the tests.

/** Looks at the tree in a folder; answers sentences that say what is wrong with it, none when all is well. */
export type Check = (root: string) => string[];

export const docs: Check;
export const exported: Check;
export const imports: Check;
export const links: Check;
export const packaged: Check;
export const paths: Check;
