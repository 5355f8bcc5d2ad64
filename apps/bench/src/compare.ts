/** One way to do the work. `run` does it once, and only what it does counts. */
interface Contender {
  readonly name: string;
  /** Before each run, not counted: a fresh folder, a warmed cache. */
  prepare?(): Promise<void> | void;
  run(): Promise<void>;
}

/** The same work done by mote and by a peer, in turn, in one process. */
export interface Comparison {
  readonly title: string;
  /** How much one run does. */
  readonly amount: number;
  readonly unit: "blobs" | "MB" | "operations";
  readonly mote: Contender;
  readonly peer: Contender;
  /** The least that mote's rate should be, as a multiple of the peer's. */
  readonly goal?: number;
  /** The least that mote's rate should be, whatever the peer's. */
  readonly goalPerSecond?: number;
}

export interface Outcome {
  readonly title: string;
  readonly unit: Comparison["unit"];
  readonly motePerSecond: number;
  readonly peer: string;
  readonly peerPerSecond: number;
  /** mote's rate over the peer's, pair by pair. */
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number };
  /** What the goal asks for, and whether it was met. */
  readonly goal?: { readonly text: string; readonly met: boolean };
}

/** Runs the two in turn, `pairs` times after one warm-up that is not counted: the machine's drift hits both alike. */
export async function compare(comparison: Comparison, pairs: number): Promise<Outcome> {
  const { title, unit, amount, mote, peer } = comparison;
  const moteSeconds: number[] = [];
  const peerSeconds: number[] = [];
  await time(mote);
  await time(peer);
  for (let pair = 0; pair < pairs; pair++) {
    // Who goes first changes, so that neither always finds the disk as the other left it.
    const [first, second] = pair % 2 === 0 ? [mote, peer] : [peer, mote];
    const firstSeconds = await time(first);
    const secondSeconds = await time(second);
    moteSeconds.push(first === mote ? firstSeconds : secondSeconds);
    peerSeconds.push(first === mote ? secondSeconds : firstSeconds);
  }
  const ratios = peerSeconds.map((seconds, pair) => seconds / (moteSeconds[pair] ?? Number.NaN));
  const outcome: Outcome = {
    title,
    unit,
    motePerSecond: amount / median(moteSeconds),
    peer: peer.name,
    peerPerSecond: amount / median(peerSeconds),
    ratio: { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) },
  };
  const goal = judge(comparison, outcome);
  return goal ? { ...outcome, goal } : outcome;
}

function judge({ goal, goalPerSecond }: Comparison, { ratio, motePerSecond }: Outcome): Outcome["goal"] {
  if (goal !== undefined) return { text: `× ${goal}`, met: ratio.median >= goal };
  if (goalPerSecond === undefined) return undefined;
  return { text: `${goalPerSecond.toLocaleString("en")}/s`, met: motePerSecond >= goalPerSecond };
}

async function time(contender: Contender): Promise<number> {
  await contender.prepare?.();
  const start = process.hrtime.bigint();
  await contender.run();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
