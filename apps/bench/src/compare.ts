/** A way to do the work. `run` does it once and is measured. */
interface Contender {
  readonly name: string;
  /** Prepares a run, such as an empty directory or a warm cache. Not measured. */
  prepare?(): Promise<void> | void;
  run(): Promise<void>;
  /** Removes what a run has left. Not measured. */
  clear?(): Promise<void>;
}

/** The same work done by mote and by its peers, in turn, in one process. */
export interface Comparison {
  readonly title: string;
  /** The amount of work of one run, in `unit`. */
  readonly amount: number;
  readonly unit: "blobs" | "MB" | "operations" | "runs";
  readonly mote: Contender;
  readonly peer: Contender;
  /** More peers. The fastest of all is compared with mote. */
  readonly others?: readonly Contender[];
  /** The minimum rate of mote, as a multiple of the peer's. */
  readonly goal?: number;
  /** The maximum time of mote, as a multiple of the peer's. The row is then in milliseconds per run. */
  readonly goalTime?: number;
  /** The minimum rate of mote, independent of the peer's. */
  readonly goalPerSecond?: number;
  /** Maximum number of measured runs, for a slow peer. */
  readonly mostPairs?: number;
}

/** A measurement of mote alone with its limit: memory, a stall, a count. */
export interface Figure {
  readonly title: string;
  /** Such as `MB`, `ms` or `system calls`. */
  readonly unit: string;
  readonly atMost: number;
  measure(): Promise<number>;
}

export type Row = Comparison | Figure;

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface ComparisonOutcome {
  readonly title: string;
  /** `ms` is better when lower, every other unit when higher. */
  readonly unit: "blobs/s" | "MB/s" | "operations/s" | "runs/s" | "ms";
  readonly mote: number;
  /** The fastest. */
  readonly peer: string;
  readonly peerValue: number;
  /** The other peers, the fastest first. */
  readonly others?: readonly { readonly peer: string; readonly value: number }[];
  /** The value of mote divided by the peer's, pair by pair. */
  readonly ratio: Spread;
  /** Number of measured runs, if fewer than those of the suite. */
  readonly pairs?: number;
  readonly goal?: {
    readonly of: "ratio" | "mote";
    readonly value: number;
    readonly met: boolean;
  };
}

export interface FigureOutcome {
  readonly title: string;
  readonly unit: string;
  readonly value: Spread;
  readonly goal: { readonly atMost: number; readonly met: boolean };
}

export type Outcome = ComparisonOutcome | FigureOutcome;

export async function measureRow(row: Row, pairs: number): Promise<Outcome> {
  return "measure" in row ? await measureFigure(row, pairs) : await compare(row, pairs);
}

async function measureFigure({ title, unit, atMost, measure }: Figure, times: number): Promise<FigureOutcome> {
  const values: number[] = [];
  await measure();
  for (let time = 0; time < times; time++) values.push(await measure());
  const value = spreadOf(values);
  return { title, unit, value, goal: { atMost, met: value.median <= atMost } };
}

/** Runs all in turn, `pairs` times after a warm-up, so that drift of the machine affects each of them. */
async function compare(comparison: Comparison, wanted: number): Promise<ComparisonOutcome> {
  const { title, unit, amount, mote, peer, others = [], goalTime, mostPairs = wanted } = comparison;
  const pairs = Math.min(wanted, mostPairs);
  const inTime = goalTime !== undefined;
  const perRun = unit === "runs" ? amount : 1;
  const inUnit = (seconds: number) => (inTime ? (seconds * 1000) / perRun : amount / seconds);
  const contenders = [mote, peer, ...others];
  const runs = await measureInTurn(contenders, pairs);
  const [moteSeconds = [], ...peerSeconds] = contenders.map((contender) => runs.get(contender) ?? []);
  const [fastest, ...slower] = [peer, ...others]
    .map(({ name }, at) => ({ peer: name, seconds: peerSeconds[at] ?? [] }))
    .map(({ peer, seconds }) => ({ peer, seconds, median: spreadOf(seconds).median }))
    .sort((one, other) => one.median - other.median);
  const outcome: ComparisonOutcome = {
    title,
    unit: inTime ? "ms" : `${unit}/s`,
    mote: inUnit(spreadOf(moteSeconds).median),
    peer: fastest?.peer ?? "",
    peerValue: inUnit(fastest?.median ?? Number.NaN),
    ...(slower.length > 0 && { others: slower.map(({ peer, median }) => ({ peer, value: inUnit(median) })) }),
    ratio: spreadOf(moteSeconds.map((seconds, pair) => inUnit(seconds) / inUnit(fastest?.seconds[pair] ?? Number.NaN))),
  };
  const goal = judge(comparison, outcome);
  return { ...outcome, ...(pairs < wanted && { pairs }), ...(goal && { goal }) };
}

/** Returns the seconds of each run. The first run of each is a warm-up, and is not returned. */
async function measureInTurn(contenders: readonly Contender[], rounds: number): Promise<Map<Contender, number[]>> {
  const runs = new Map(contenders.map((contender): [Contender, number[]] => [contender, []]));
  for (const contender of contenders) await time(contender);
  for (let round = 0; round < rounds; round++) {
    // Another one begins each time, so that none always runs after the same one.
    const first = round % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      runs.get(contender)?.push(await time(contender));
    }
  }
  return runs;
}

function judge(comparison: Comparison, { ratio, mote }: ComparisonOutcome): ComparisonOutcome["goal"] {
  const { goal, goalTime, goalPerSecond } = comparison;
  if (goalTime !== undefined) return { of: "ratio", value: goalTime, met: ratio.median <= goalTime };
  if (goal !== undefined) return { of: "ratio", value: goal, met: ratio.median >= goal };
  if (goalPerSecond !== undefined) return { of: "mote", value: goalPerSecond, met: mote >= goalPerSecond };
  return undefined;
}

async function time(contender: Contender): Promise<number> {
  await contender.prepare?.();
  const start = process.hrtime.bigint();
  await contender.run();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  await contender.clear?.();
  return seconds;
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}
