import type { Digest } from "@mote/core";

/** When something was recorded. */
export interface FactTime {
  /** Its place in the store's order of time: it grows with every record, whatever the clock does. */
  readonly sequence: number;
  /** Unix milliseconds, by the clock of the machine that recorded it. */
  readonly lastSeenMs: number;
}

/** `untransformed` is the plain form of `digest`. */
export interface PairFact extends FactTime {
  readonly fact: "pair";
  readonly digest: Digest;
  readonly untransformed: Digest;
  /** It was not recorded itself: something else has this digest as its plain form. What is recorded itself outweighs it. */
  readonly implied?: true | undefined;
}

/** How `digest` was made. */
export interface TransformerFact extends FactTime {
  readonly fact: "transformer";
  readonly digest: Digest;
  readonly name: string;
}

/** The blob is there; or, with `absence`, was found not to be there any more. */
export interface LocationFact extends FactTime {
  readonly fact: "location" | "absence";
  readonly transport: string;
  readonly scope: string;
  readonly digest: Digest;
  readonly location: string;
}

export type BlobFact = PairFact | TransformerFact | LocationFact;

/** Sequences begin at the clock, so that those of two machines compare. A millisecond has this many. */
const sequencesPerMs = 1000;

/** The sequence after `last`, at the time `nowMs`. */
export function nextSequence(last: number, nowMs: number): number {
  return Math.max(last + 1, Math.floor(nowMs * sequencesPerMs));
}
