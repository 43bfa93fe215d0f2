// The types of fat.mjs, for the tests.

export function fatImage(folder: string, size: number): Buffer;
