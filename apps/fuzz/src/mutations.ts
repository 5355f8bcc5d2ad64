import fc from "fast-check";

/** Texts of numbers that parsers often handle wrongly. */
export const oddNumbers = [
  "0",
  "-0",
  "-1",
  "+1",
  "00",
  "1e3",
  "0x10",
  "1.5",
  " 1",
  "NaN",
  "Infinity",
  "",
  "2147483648",
  "4294967296",
  "9007199254740991",
  "9007199254740993",
  "18446744073709551616",
  "1".repeat(400),
] as const;

interface Mutation {
  readonly kind: "flip" | "set" | "cut" | "insert" | "repeat" | "end";
  /** The position as a share of the length. */
  readonly at: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom("flip", "set", "cut", "insert", "repeat", "end"),
  at: fc.integer({ min: 0, max: 999_999 }).map((share) => share / 1_000_000),
  length: fc.oneof(fc.constantFrom(1, 4, 8, 512), fc.integer({ min: 1, max: 2000 })),
  bytes: fc.oneof(
    fc.constantFrom(...[0x00, 0x7f, 0x80, 0xff, 0x20, 0x2f, 0x30].map((byte) => Uint8Array.of(byte))),
    fc.uint8Array({ minLength: 1, maxLength: 20 }),
    fc.constantFrom(...oddNumbers, "../", "/", "\\", "\n", "..").map((text) => new TextEncoder().encode(text)),
  ),
});

/** Returns valid bytes, most of them with up to four mutations. */
export function mutated(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(valid, fc.array(mutation, { maxLength: 4 }))
    .map(([bytes, mutations]) => mutations.reduce(mutate, bytes));
}

/** Like `mutated`, for the UTF-8 bytes of a text. */
export function mutatedText(valid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const decoder = new TextDecoder();
  return mutated(valid.map((text) => new TextEncoder().encode(text))).map((bytes) => decoder.decode(bytes));
}

function mutate(bytes: Uint8Array, { kind, at, length, bytes: put }: Mutation): Uint8Array {
  const start = Math.floor(at * bytes.length);
  const end = Math.min(bytes.length, start + length);
  switch (kind) {
    case "flip":
    case "set": {
      const changed = bytes.slice();
      if (kind === "set") changed.set(put.subarray(0, changed.length - start), start);
      else if (start < changed.length) changed[start] = (changed[start] ?? 0) ^ (1 << (length % 8));
      return changed;
    }
    case "cut":
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
    case "insert":
      return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start)]);
    case "repeat":
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
    case "end":
      return bytes.subarray(0, start);
  }
}

/** Returns a text of tokens of its grammar with other text between them, sometimes with one token repeated very often. */
export function pieces(words: readonly string[]): fc.Arbitrary<string> {
  const word = fc.constantFrom(...words, ...oddNumbers.slice(0, 8));
  const some = fc.array(fc.oneof({ weight: 5, arbitrary: word }, fc.string({ maxLength: 6, unit: "binary" })), {
    maxLength: 12,
  });
  const many = fc.tuple(word, word, fc.constantFrom(100, 5000, 30_000)).map(([a, b, times]) => [(a + b).repeat(times)]);
  return fc.oneof({ weight: 30, arbitrary: some }, { weight: 1, arbitrary: many }).map((texts) => texts.join(""));
}
