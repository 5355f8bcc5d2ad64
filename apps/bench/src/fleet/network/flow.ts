/** One direction of a network connection, which its flows share. */
export class Link {
  readonly name: string;
  readonly bytesPerSecond: number;
  /** `all`: the rate is that of all flows together. `each`: every flow may have it, as a server that limits each connection. */
  readonly limits: "all" | "each";
  readonly flows: Flow[] = [];
  /** Bytes that have passed. */
  bytes = 0;
  /** The sum of the rates of its flows, in bytes per second. */
  rate = 0;
  /** What is left for the flows that have not got a rate yet, and their number. Used while rates are computed. */
  left = 0;
  open = 0;

  constructor(name: string, bytesPerSecond: number, limits: "all" | "each" = "all") {
    this.name = name;
    this.bytesPerSecond = bytesPerSecond;
    this.limits = limits;
  }

  /** What each flow without a rate would get if no other link limited it. */
  get share(): number {
    if (this.open === 0) return Number.POSITIVE_INFINITY;
    return this.limits === "each" ? this.bytesPerSecond : Math.max(0, this.left) / this.open;
  }
}

/** A blob that arrives somewhere. Others may read it meanwhile, never beyond what has arrived. */
export class Progress {
  /** Bytes that have arrived. */
  position = 0;
  isComplete = false;
  /** The flow by which it arrives. Undefined while there is none. */
  filler: Flow | undefined;
  /** The flows that read it while it arrives. */
  readonly readers = new Set<Flow>();
}

/** Two positions that differ by less are the same: time is a floating-point number. */
export const toleranceBytes = 0.5;

export interface FlowOptions {
  /** All links that the bytes take. */
  readonly links: readonly Link[];
  /** The position of the first byte, and that after the last one. */
  readonly start: number;
  readonly end: number;
  /** Where the bytes come from, if they are still arriving there. */
  readonly from?: Progress | undefined;
  /** Where they arrive. */
  readonly into?: Progress | undefined;
}

/** Bytes on their way over some links, at a rate that changes whenever other flows begin and end. */
export class Flow {
  readonly links: readonly Link[];
  readonly end: number;
  readonly from: Progress | undefined;
  readonly into: Progress | undefined;
  position: number;
  /** Bytes per second. */
  rate = 0;
  /** Whether its rate has been computed. */
  isFixed = false;
  /** The positions in the lists of its links. */
  readonly slots: number[] = [];
  slot = 0;
  readonly ended: (error: Error | undefined) => void;

  constructor({ links, start, end, from, into }: FlowOptions, ended: (error: Error | undefined) => void) {
    this.links = links;
    this.position = start;
    this.end = end;
    this.from = from;
    this.into = into;
    this.ended = ended;
  }

  /** Bytes that it may take at once, because they have arrived where it reads. Negative: it waits for its first byte. */
  get ahead(): number {
    return this.from === undefined || this.from.isComplete
      ? Number.POSITIVE_INFINITY
      : this.from.position - this.position;
  }

  get isCaughtUp(): boolean {
    return this.ahead <= toleranceBytes;
  }
}
