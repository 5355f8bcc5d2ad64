import type { Arbitrary } from "fast-check";

/** Something that reads what others have written. */
export interface Target {
  readonly about: string;
  /** Calls `check` with an arbitrary for the input, and with what is done to it. */
  readonly run: (check: Check) => Promise<void>;
}

type Check = <Input>(
  input: Arbitrary<Input>,
  /** Throws an error with a code for input that is refused, any other error for one that is mishandled. */
  read: (input: Input) => Promise<unknown> | unknown,
) => Promise<void>;

export function target<Input>(
  about: string,
  input: Arbitrary<Input>,
  read: (input: Input) => Promise<unknown> | unknown,
): Target {
  return { about, run: (check) => check(input, read) };
}

/** @throws Error, without a code, which ends the fuzzing */
export function assert(condition: boolean, property: string): asserts condition {
  if (!condition) throw new Error(`does not hold: ${property}`);
}
