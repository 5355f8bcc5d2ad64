import type { Measured } from "./model/measured.js";
import type { System } from "./model/site.js";

/** A simulation and what came out. */
export interface Run extends Measured {
  /** What differs from the other runs of its group. */
  readonly label: string;
  readonly system: System;
}

/** What the simulations came to, by the name of their group. */
export interface FleetResults {
  readonly seed: number;
  readonly groups: Readonly<Record<string, readonly Run[]>>;
}

/** Returns bytes from the registry for each byte that any client needed. */
export function upstreamRatio({ upstreamBytes, uniqueBytes }: Measured): number {
  return upstreamBytes / uniqueBytes;
}

/** Returns when the last client was complete, divided by when the first was. For runs in which all begin at once. */
export function lastAgainstFirst({ firstSeconds, lastSeconds }: Measured): number {
  return lastSeconds / firstSeconds;
}
