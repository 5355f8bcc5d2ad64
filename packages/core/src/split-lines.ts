import type { MoteError } from "./error.js";

export interface SplitLinesOptions {
  /** In characters. */
  readonly maxLength: number;
  /** Returns the error for a line that is longer. `line` counts from 1. */
  readonly tooLong: (line: number) => MoteError;
}

/** Splits text in chunks of any length into lines, without their ends. @throws the error that `tooLong` returns */
export async function* splitLines(
  text: AsyncIterable<string> | Iterable<string>,
  { maxLength, tooLong }: SplitLinesOptions,
): AsyncGenerator<string, void, undefined> {
  let rest = "";
  let number = 1;
  for await (const chunk of text) {
    const [first = "", ...more] = chunk.split("\n");
    rest += first;
    if (rest.length > maxLength) throw tooLong(number);
    for (const line of more) {
      yield rest;
      rest = line;
      number++;
      if (rest.length > maxLength) throw tooLong(number);
    }
  }
  yield rest;
}
