import type { ComparisonOutcome, FigureOutcome, Outcome, Spread } from "./compare.js";

/** Returns the cells of a row, for the table, the figure and the terminal. */
export interface Wording {
  readonly mote: string;
  readonly peer: string;
  readonly ratio: string;
  readonly goal: string;
}

export function wordingOf(outcome: Outcome): Wording {
  return "value" in outcome ? figureWording(outcome) : comparisonWording(outcome);
}

function comparisonWording(outcome: ComparisonOutcome): Wording {
  const { unit, mote, peer, peerValue, others = [], ratio, pairs, goal } = outcome;
  const peers = [{ peer, value: peerValue }, ...others];
  return {
    mote: amount(mote, unit),
    peer: peers.map(({ peer, value }) => `${peer}: ${amount(value, unit)}`).join("; "),
    ratio: `× ${spread(ratio)}${pairs === undefined ? "" : `, ${pairs} pairs`}`,
    goal: goal === undefined ? "" : `${goalText(unit, goal)}: ${verdict(goal.met)}`,
  };
}

function goalText(unit: string, goal: NonNullable<ComparisonOutcome["goal"]>): string {
  if (goal.of === "mote") return `at least ${amount(goal.value, unit)}`;
  return `${unit === "ms" ? "at most" : "at least"} × ${short(goal.value)}`;
}

function figureWording({ unit, value, goal }: FigureOutcome): Wording {
  return {
    mote: `${spread(value)} ${unit}`,
    peer: "",
    ratio: "",
    goal: `at most ${amount(goal.atMost, unit)}: ${verdict(goal.met)}`,
  };
}

/** Formats a number with three digits: `0.0713`, `1.26`, `71.3`, `211,000`. */
function short(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** Formats the median with minimum and maximum, or the value of a single run. */
function spread({ median, min, max }: Spread): string {
  if (min === max) return short(median);
  return `${short(median)} (${short(min)}–${short(max)})`;
}

function amount(value: number, unit: string): string {
  return `${short(value)} ${unit}`;
}

function verdict(met: boolean): string {
  return met ? "met" : "missed";
}
