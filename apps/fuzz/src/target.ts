import type { Arbitrary } from "fast-check";

/** A parser of untrusted input. */
export interface Target {
  readonly about: string;
  /** Calls `check` with an arbitrary for the input and the function under test. */
  readonly run: (check: Check) => Promise<void>;
}

type Check = <Input>(
  input: Arbitrary<Input>,
  /** Throws an error with a code for rejected input. Any other error is a bug. */
  read: (input: Input) => Promise<unknown> | unknown,
) => Promise<void>;

export function target<Input>(
  about: string,
  input: Arbitrary<Input>,
  read: (input: Input) => Promise<unknown> | unknown,
): Target {
  return { about, run: (check) => check(input, read) };
}

/** Checks a property. @throws Error without a code, which ends the fuzzing */
export function assert(condition: boolean, property: string): asserts condition {
  if (!condition) throw new Error(`does not hold: ${property}`);
}
