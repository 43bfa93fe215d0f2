// This process's standard input and output as one stream.

import { Duplex } from "node:stream";

/** A stream that reads standard input and writes standard output, each as the file, pipe or socket that it is. */
export function stdio(): Duplex {
  const { stdin, stdout } = process;
  const stream = new Duplex({
    allowHalfOpen: true,
    read() {
      stdin.resume();
    },
    write(chunk: Uint8Array, _encoding, done) {
      stdout.write(chunk, done);
    },
    final(done) {
      // Standard output cannot be closed: what was written to it must be out, and the end of the process does the rest.
      stdout.write("", done);
    },
    destroy(error, done) {
      stdin.pause();
      done(error);
    },
  });
  stdin.on("data", (chunk: Buffer) => {
    if (!stream.push(chunk)) stdin.pause();
  });
  stdin.on("end", () => stream.push(null));
  stdin.on("error", (error) => stream.destroy(error));
  stdout.on("error", (error) => stream.destroy(error));
  return stream;
}
