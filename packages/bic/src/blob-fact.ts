import type { Digest } from "@mote/core";

/** When a fact was recorded. */
export interface FactTime {
  /** Orders facts by time. It grows with every record, even if the clock goes back. */
  readonly sequence: number;
  /** In Unix milliseconds, by the clock of the machine that recorded the fact. */
  readonly lastSeenMs: number;
}

/** States that `untransformed` is the untransformed form of `digest`. */
export interface PairFact extends FactTime {
  readonly fact: "pair";
  readonly digest: Digest;
  readonly untransformed: Digest;
  /** The pair follows from another one, whose untransformed form this digest is. A recorded pair takes precedence. */
  readonly implied?: true | undefined;
}

/** States how `digest` was made. */
export interface TransformerFact extends FactTime {
  readonly fact: "transformer";
  readonly digest: Digest;
  readonly name: string;
}

/** States that the blob was seen at a location or, as a negative record (`absence`), that it no longer exists there. */
export interface LocationFact extends FactTime {
  readonly fact: "location" | "absence";
  readonly transport: string;
  readonly scope: string;
  readonly digest: Digest;
  readonly location: string;
}

export type BlobFact = PairFact | TransformerFact | LocationFact;

// Sequences start at the clock, so that those of two machines can be compared.
const sequencesPerMs = 1000;

/** Returns the sequence after `last`, at the time `nowMs` in Unix milliseconds. */
export function nextSequence(last: number, nowMs: number): number {
  return Math.max(last + 1, Math.floor(nowMs * sequencesPerMs));
}
