// Reading a text from standard input.

/** A text that somebody types or pipes in is no longer than this. */
const LONGEST = 16 * 1024 * 1024;

/**
 * Reads standard input to its end.
 *
 * @param what - what is read there, for the error's text
 * @throws Error when it is absurdly long
 */
export async function readStandardInput(stdin: NodeJS.ReadableStream, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.length;
    if (length > LONGEST) throw new Error(`${what} on standard input is longer than ${LONGEST} bytes`);
  }
  return Buffer.concat(chunks).toString();
}
