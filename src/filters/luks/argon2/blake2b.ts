// BLAKE2b (RFC 7693) with a digest of any length up to 64 bytes: Argon2 needs lengths that Node's own does not give. Only its first and last
// steps go through here, so that it need not be fast.

const IV = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];

/** Which word of the message goes where in each round. */
const SIGMA = [
  "0123456789abcdef",
  "ea489fd61c02b753",
  "b8c052fdae367194",
  "7931dcbe265a40f8",
  "905724afe1bc683d",
  "2c6a0b834d75fe19",
  "c51fed4a0763928b",
  "db7ec13950f4862a",
  "6fe9b308c2d714a5",
  "a2847615fb9e3cd0",
  "0123456789abcdef",
  "ea489fd61c02b753",
].map((round) => [...round].map((digit) => Number.parseInt(digit, 16)));

const BLOCK = 128;
const MASK = 2n ** 64n - 1n;

/** The hash of `message`, `length` bytes long. */
export function blake2b(message: Uint8Array, length: number): Uint8Array {
  const state = IV.slice();
  // The parameter block: digest length, no key, sequential.
  state[0] = (state[0] as bigint) ^ 0x01010000n ^ BigInt(length);
  const blocks = Math.max(1, Math.ceil(message.length / BLOCK));
  const padded = new Uint8Array(blocks * BLOCK);
  padded.set(message);
  const view = new DataView(padded.buffer);
  for (let block = 0; block < blocks; block += 1) {
    const last = block === blocks - 1;
    compress(state, view, block * BLOCK, BigInt(last ? message.length : (block + 1) * BLOCK), last);
  }
  padded.fill(0);
  const digest = new Uint8Array(64);
  const out = new DataView(digest.buffer);
  for (const [index, word] of state.entries()) out.setBigUint64(index * 8, word, true);
  return digest.slice(0, length);
}

function compress(state: bigint[], message: DataView, offset: number, counter: bigint, last: boolean): void {
  const m = Array.from({ length: 16 }, (_, index) => message.getBigUint64(offset + index * 8, true));
  const v = [...state, ...IV];
  v[12] = (v[12] as bigint) ^ counter;
  if (last) v[14] = (v[14] as bigint) ^ MASK;
  for (const order of SIGMA) {
    const word = (index: number): bigint => m[order[index] as number] as bigint;
    for (let i = 0; i < 4; i += 1) mix(v, i, 4 + i, 8 + i, 12 + i, word(2 * i), word(2 * i + 1));
    for (let i = 0; i < 4; i += 1) mix(v, i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4), word(8 + 2 * i), word(9 + 2 * i));
  }
  for (let i = 0; i < 8; i += 1) state[i] = (state[i] as bigint) ^ (v[i] as bigint) ^ (v[i + 8] as bigint);
}

function mix(v: bigint[], a: number, b: number, c: number, d: number, x: bigint, y: bigint): void {
  const at = (index: number): bigint => v[index] as bigint;
  v[a] = (at(a) + at(b) + x) & MASK;
  v[d] = rotate(at(d) ^ at(a), 32n);
  v[c] = (at(c) + at(d)) & MASK;
  v[b] = rotate(at(b) ^ at(c), 24n);
  v[a] = (at(a) + at(b) + y) & MASK;
  v[d] = rotate(at(d) ^ at(a), 16n);
  v[c] = (at(c) + at(d)) & MASK;
  v[b] = rotate(at(b) ^ at(c), 63n);
}

function rotate(word: bigint, bits: bigint): bigint {
  return (word >> bits) | ((word << (64n - bits)) & MASK);
}
