// The LZMA decoder as a WebAssembly function that decodes one chunk. Written for speed: the range coder's state is in local variables, and where a bit
// cannot be foreseen no branch depends on it. "LZMA specification" (lzma-specification.txt of the LZMA SDK) has the names used here.

import {
  add,
  and,
  atLeast,
  block,
  branch,
  branchWhen,
  type Code,
  equal,
  type Func,
  giveBack,
  greater,
  I32,
  int,
  type Local,
  less,
  load8,
  load16,
  load32,
  load64,
  loop,
  multiply,
  or,
  select,
  set,
  shiftLeft,
  shiftRight,
  shiftSigned,
  store8,
  store16,
  store32,
  store64,
  subtract,
  type Value,
  when,
  xor,
} from "./assembler.ts";

/** Where in memory the decoder keeps its state between chunks: five 32-bit words, `state` and the four distances last used. */
export const STATE = 0;
/** Where its probabilities are, 16 bits each. */
export const PROBABILITIES = 64;

// Numbers of probabilities, in the order in which they lie in memory.
const IS_MATCH = 0;
const IS_REP = IS_MATCH + 12 * 16;
const IS_REP_G0 = IS_REP + 12;
const IS_REP_G1 = IS_REP_G0 + 12;
const IS_REP_G2 = IS_REP_G1 + 12;
const IS_REP0_LONG = IS_REP_G2 + 12;
const POS_SLOT = IS_REP0_LONG + 12 * 16;
const POS_SPECIAL = POS_SLOT + 4 * 64;
const ALIGN = POS_SPECIAL + 116;
const LENGTH = ALIGN + 16;
const REP_LENGTH = LENGTH + 514;
const LITERAL = REP_LENGTH + 514;
/** Within the probabilities of a length: two choices, then three trees. */
const LOW = 2;
const MID = LOW + 16 * 8;
const HIGH = MID + 16 * 8;

/** How many probabilities there are with `lc + lp` at its largest, 4. */
export const PROBABILITY_COUNT: number = LITERAL + (0x300 << 4);

/** What the function answers. */
export const outcome = {
  /** The chunk was decoded. */
  ok: 0,
  /** A match reaches back before the start of the dictionary, or further than the dictionary's size. */
  distance: 1,
  /** A match goes on after the chunk's end. */
  length: 2,
  /** The chunk takes more or fewer bytes than it says, or does not end as it must. */
  input: 3,
} as const;

/** `lzma(input, inputEnd, output, outputEnd, dictionary, dictionarySize, lc, lp, pb)`: addresses, the start of the dictionary being one of the output. */
export const lzma: Func = {
  name: "lzma",
  parameters: [I32, I32, I32, I32, I32, I32, I32, I32, I32],
  result: I32,
  body(parameters, local) {
    const [input, inputEnd, output, outputEnd, dictionary, dictionarySize, lc, lp, pb] = parameters as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const range = local();
    const code = local();
    const probability = local();
    const bound = local();
    /** All ones when the bit last decoded without a branch is 0, else 0. */
    const mask = local();
    const state = local();
    const rep0 = local();
    const rep1 = local();
    const rep2 = local();
    const rep3 = local();
    const position = local();
    const posState = local();
    const at = local();
    const symbol = local();
    const limit = local();
    const length = local();
    const distance = local();
    const count = local();
    const matchByte = local();
    const offset = local();
    const from = local();
    const copyEnd = local();

    const normalize: Code = when(less(range, 1 << 24), [
      set(range, shiftLeft(range, 8)),
      set(code, or(shiftLeft(code, 8), load8(input))),
      set(input, add(input, 1)),
    ]);
    /** Splits the range by the probability at an address. */
    const splitAt = (address: Value, index: number): readonly Code[] => [
      normalize,
      set(probability, load16(address, PROBABILITIES + 2 * index)),
      set(bound, multiply(shiftRight(range, 11), probability)),
    ];
    /** Decodes a bit that is likely foreseen: goes one of two ways. */
    const bit = (address: Local, index: number, zero: readonly Code[], one: readonly Code[]): readonly Code[] => [
      ...splitAt(address, index),
      when(
        less(code, bound),
        [
          set(range, bound),
          store16(address, add(probability, shiftRight(subtract(2048, probability), 5)), PROBABILITIES + 2 * index),
          ...zero,
        ],
        [
          set(range, subtract(range, bound)),
          set(code, subtract(code, bound)),
          store16(address, subtract(probability, shiftRight(probability, 5)), PROBABILITIES + 2 * index),
          ...one,
        ],
      ),
    ];
    /** Decodes a bit into `mask`, without a branch. */
    const bitToMask = (address: Local, index: number): readonly Code[] => [
      ...splitAt(address, index),
      set(mask, subtract(0, less(code, bound))),
      set(range, subtract(range, bound)),
      set(range, add(range, and(subtract(bound, range), mask))),
      set(code, subtract(code, and(bound, xor(mask, -1)))),
      // For 0 it grows by (2048 - p) >> 5, for 1 it shrinks by p >> 5.
      store16(address, subtract(probability, shiftSigned(add(probability, and(mask, 31 - 2048)), 5)), PROBABILITIES + 2 * index),
    ];
    /** Decodes the next bit of a tree: `symbol` becomes twice as large, plus the bit. The tree's address is in `at`. */
    const treeBit = (index: number): readonly Code[] => [
      set(from, add(at, shiftLeft(symbol, 1))),
      ...bitToMask(from, index),
      set(symbol, add(add(shiftLeft(symbol, 1), 1), mask)),
    ];
    const repeat = (times: number, body: readonly Code[]): readonly Code[] => Array.from({ length: times }, () => body).flat();

    const symbols = { name: "symbols" };
    const decoded = { name: "decoded" };
    const tree = { name: "tree" };
    const reverse = { name: "reverse" };
    const direct = { name: "direct" };
    const copy = { name: "copy" };

    const literal: readonly Code[] = [
      // The previous byte; at the dictionary's start it counts as 0.
      set(symbol, select(0, load8(subtract(output, 1)), equal(position, 0))),
      set(at, multiply(add(shiftLeft(and(position, subtract(shiftLeft(1, lp), 1)), lc), shiftRight(symbol, subtract(8, lc))), 2 * 0x300)),
      set(symbol, 1),
      when(
        less(state, 7),
        [...repeat(8, treeBit(LITERAL)), set(state, select(subtract(state, 3), 0, greater(state, 3)))],
        [
          // After a match the byte that would have gone on with it tells which probabilities to use.
          when(atLeast(rep0, position), [giveBack(outcome.distance)]),
          set(matchByte, load8(subtract(subtract(output, rep0), 1))),
          set(offset, 0x100),
          ...repeat(8, [
            set(matchByte, shiftLeft(matchByte, 1)),
            set(count, and(matchByte, offset)),
            set(from, add(at, shiftLeft(add(add(offset, count), symbol), 1))),
            ...bitToMask(from, LITERAL),
            set(symbol, add(add(shiftLeft(symbol, 1), 1), mask)),
            set(offset, and(offset, xor(count, mask))),
          ]),
          set(state, subtract(state, select(3, 6, less(state, 10)))),
        ],
      ),
      store8(output, symbol),
      set(output, add(output, 1)),
    ];

    /** Decodes `length`, less 2, with the probabilities whose address, from LENGTH on, is in `at`. */
    const decodeLength: readonly Code[] = [
      set(symbol, 1),
      ...bit(
        at,
        LENGTH,
        [set(at, add(at, add(2 * LOW, shiftLeft(posState, 4)))), set(limit, 8), set(length, 0)],
        bit(
          at,
          LENGTH + 1,
          [set(at, add(at, add(2 * MID, shiftLeft(posState, 4)))), set(limit, 8), set(length, 8)],
          [set(at, add(at, 2 * HIGH)), set(limit, 256), set(length, 16)],
        ),
      ),
      loop(tree, [...treeBit(LENGTH), branchWhen(tree, less(symbol, limit))]),
      set(length, add(length, subtract(symbol, limit))),
    ];

    /** Decodes `count` bits, the lowest first, into `distance`, with the tree at `at`. */
    const reverseBits = (index: number): readonly Code[] => [
      set(symbol, 1),
      set(offset, 1),
      loop(reverse, [
        ...treeBit(index),
        set(distance, add(distance, and(offset, xor(mask, -1)))),
        set(offset, shiftLeft(offset, 1)),
        set(count, subtract(count, 1)),
        branchWhen(reverse, count),
      ]),
    ];

    const decodeDistance: readonly Code[] = [
      set(at, shiftLeft(select(length, 3, less(length, 3)), 7)),
      set(symbol, 1),
      ...repeat(6, treeBit(POS_SLOT)),
      set(distance, subtract(symbol, 64)),
      when(greater(distance, 3), [
        set(limit, distance),
        set(count, subtract(shiftRight(limit, 1), 1)),
        set(distance, shiftLeft(or(2, and(limit, 1)), count)),
        when(
          less(limit, 14),
          [
            // The tree's root has the number 1, and the first tree starts right at POS_SPECIAL.
            set(at, shiftLeft(subtract(distance, limit), 1)),
            ...reverseBits(POS_SPECIAL),
          ],
          [
            set(count, subtract(count, 4)),
            set(symbol, 0),
            loop(direct, [
              normalize,
              set(range, shiftRight(range, 1)),
              set(code, subtract(code, range)),
              set(mask, shiftSigned(code, 31)),
              set(code, add(code, and(range, mask))),
              set(symbol, add(add(shiftLeft(symbol, 1), 1), mask)),
              set(count, subtract(count, 1)),
              branchWhen(direct, count),
            ]),
            set(distance, add(distance, shiftLeft(symbol, 4))),
            set(at, 0),
            set(count, 4),
            ...reverseBits(ALIGN),
          ],
        ),
      ]),
      set(rep3, rep2),
      set(rep2, rep1),
      set(rep1, rep0),
      set(rep0, distance),
    ];

    /** A match with one of the distances last used; leaves by way of `decoded` when it is one byte. */
    const decodeRep: readonly Code[] = [
      set(at, shiftLeft(state, 1)),
      ...bit(
        at,
        IS_REP_G0,
        [
          set(at, shiftLeft(add(shiftLeft(state, 4), posState), 1)),
          ...bit(
            at,
            IS_REP0_LONG,
            [
              when(atLeast(rep0, position), [giveBack(outcome.distance)]),
              store8(output, load8(subtract(subtract(output, rep0), 1))),
              set(output, add(output, 1)),
              set(state, select(9, 11, less(state, 7))),
              branch(decoded),
            ],
            [],
          ),
        ],
        [
          ...bit(
            at,
            IS_REP_G1,
            [set(distance, rep1)],
            [...bit(at, IS_REP_G2, [set(distance, rep2)], [set(distance, rep3), set(rep3, rep2)]), set(rep2, rep1)],
          ),
          set(rep1, rep0),
          set(rep0, distance),
        ],
      ),
      set(state, select(8, 11, less(state, 7))),
      set(at, 2 * (REP_LENGTH - LENGTH)),
      ...decodeLength,
    ];

    const decodeMatch: readonly Code[] = [set(state, select(7, 10, less(state, 7))), set(at, 0), ...decodeLength, ...decodeDistance];

    const copyMatch: readonly Code[] = [
      set(length, add(length, 2)),
      when(atLeast(rep0, select(position, dictionarySize, less(position, dictionarySize))), [giveBack(outcome.distance)]),
      when(greater(length, subtract(outputEnd, output)), [giveBack(outcome.length)]),
      set(from, subtract(subtract(output, rep0), 1)),
      set(copyEnd, add(output, length)),
      when(
        less(rep0, 7),
        [
          loop(copy, [
            store8(output, load8(from)),
            set(from, add(from, 1)),
            set(output, add(output, 1)),
            branchWhen(copy, less(output, copyEnd)),
          ]),
        ],
        [
          // Eight bytes at a time: the few that are too many are overwritten by what comes next.
          loop(copy, [
            store64(output, load64(from)),
            set(from, add(from, 8)),
            set(output, add(output, 8)),
            branchWhen(copy, less(output, copyEnd)),
          ]),
          set(output, copyEnd),
        ],
      ),
    ];

    const states = [state, rep0, rep1, rep2, rep3];
    return [
      ...states.map((word, index) => set(word, load32(int(STATE + 4 * index)))),
      set(range, -1),
      set(code, or(or(shiftLeft(load8(input, 1), 24), shiftLeft(load8(input, 2), 16)), or(shiftLeft(load8(input, 3), 8), load8(input, 4)))),
      set(input, add(input, 5)),
      loop(symbols, [
        when(less(output, outputEnd), [
          when(greater(input, inputEnd), [giveBack(outcome.input)]),
          set(position, subtract(output, dictionary)),
          set(posState, and(position, subtract(shiftLeft(1, pb), 1))),
          block(decoded, [
            set(at, shiftLeft(add(shiftLeft(state, 4), posState), 1)),
            ...bit(at, IS_MATCH, [...literal, branch(decoded)], []),
            set(at, shiftLeft(state, 1)),
            ...bit(at, IS_REP, decodeMatch, decodeRep),
            ...copyMatch,
          ]),
          branch(symbols),
        ]),
      ]),
      normalize,
      when(or(xor(input, inputEnd), code), [giveBack(outcome.input)]),
      ...states.map((word, index) => store32(int(STATE + 4 * index), word)),
      int(outcome.ok),
    ];
  },
};
