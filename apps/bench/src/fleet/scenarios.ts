import type { FleetResults, Run } from "./fleet-results.js";
import { Catalogue, type Image } from "./model/images.js";
import type { Measured } from "./model/measured.js";
import { SeededRandom } from "./model/seeded-random.js";
import { type Scenario, simulate } from "./model/simulate.js";
import type { Outage, SiteOptions, System } from "./model/site.js";
import { makeRush, makeTrace, type Trace, type TraceOptions } from "./model/trace.js";

const seed = 14;
const gigabit = 1e9 / 8;
const gigabyte = 1e9;

export const site: SiteOptions = {
  clients: 1_000,
  motes: 10,
  moteRate: 10 * gigabit,
  clientRate: gigabit,
  upstreamRate: 4 * gigabit,
  upstreamRequestRate: 50e6,
  bucketRate: 40 * gigabit,
  bucketRequestRate: 90e6,
  upstreamDelay: 0.06,
  bucketDelay: 0.02,
  leaseDelay: 0.025,
  localDelay: 0.001,
  diskBytes: 200 * gigabyte,
  hasBucket: true,
  spread: "random",
  leasesIn: "bucket",
};

/** A fleet that shares a Redis, but no bucket. */
const redis = { leasesIn: "redis", leaseDelay: 0.001 } as const;
const redisAlone = { ...redis, hasBucket: false } as const;

export const day: TraceOptions = {
  seed,
  hours: 2,
  nodes: 800,
  runners: 200,
  applicationsPerNode: 6,
  pullsPerNodeAndHour: 1,
  jobsPerRunnerAndHour: 4,
  deploymentsPerHour: 10,
  fleetWideDeployments: 2,
  deploymentSeconds: 180,
  zipfExponent: 1,
  bases: 12,
  runtimes: 40,
  applications: 300,
};

interface Variant {
  readonly label: string;
  readonly system?: System;
  readonly options?: Partial<SiteOptions>;
  readonly outages?: readonly Outage[];
  /** Instead of the seed of all runs. */
  readonly seed?: number;
}

const systems: readonly System[] = ["fleet", "proxy", "own"];
const moteCounts = [1, 3, 10, 30];
const peakSeconds = 4_000;

function motesDying(losesDisk: boolean): Outage[] {
  return Array.from({ length: 8 }, (_, at) => ({ kind: "mote", at: 600 + at * 800, downSeconds: 60, losesDisk }));
}
const bucketDown: readonly Outage[] = [{ kind: "bucket", at: peakSeconds, downSeconds: 600 }];

/** Runs through the trace of a morning, in groups. */
const morningVariants: Readonly<Record<string, readonly Variant[]>> = {
  systems: [
    { label: "fleet of 10, bucket" },
    { label: "fleet of 10, Redis and no bucket", options: redisAlone },
    { label: "one proxy", system: "proxy" },
    { label: "every node on its own", system: "own" },
  ],
  motes: moteCounts.map((motes) => ({ label: String(motes), options: { motes } })),
  outages: [
    { label: "nothing fails" },
    { label: "8 motes die in mid-fetch, disks kept", outages: motesDying(false) },
    { label: "8 motes die in mid-fetch, disks lost", outages: motesDying(true) },
    { label: "bucket down for 10 minutes, with the leases", outages: bucketDown },
    { label: "bucket down for 10 minutes, leases in Redis", outages: bucketDown, options: redis },
    { label: "Redis, no bucket: 8 motes die in mid-fetch, disks lost", outages: motesDying(true), options: redisAlone },
    { label: "one proxy that dies 8 times in mid-fetch, disk kept", system: "proxy", outages: motesDying(false) },
  ],
  upstream: [0.5, 1, 2, 4, 10].flatMap((gigabits) =>
    // What every node on its own pulls does not fit through less.
    (gigabits < 2 ? (["fleet", "proxy"] as const) : systems).map((system) => ({
      label: `${gigabits} Gbit/s`,
      system,
      options: { upstreamRate: gigabits * gigabit },
    })),
  ),
  network: [
    ...[1, 2.5, 10].map((gigabits) => ({
      label: `fleet of 10, ${gigabits} Gbit/s each`,
      options: { moteRate: gigabits * gigabit },
    })),
    ...[2.5, 10].map((gigabits) => ({
      label: `one proxy, ${gigabits} Gbit/s`,
      system: "proxy" as const,
      options: { moteRate: gigabits * gigabit },
    })),
  ],
  disks: [5, 20, 200].flatMap((gigabytes) =>
    (["fleet", "proxy"] as const).map((system) => ({
      label: `${gigabytes} GB`,
      system,
      options: { diskBytes: gigabytes * gigabyte },
    })),
  ),
  seeds: [seed, seed + 1, seed + 2].map((other) => ({ label: String(other), seed: other })),
};

/** All clients pull one new image at the same moment. */
const rushVariants: readonly Variant[] = [
  ...moteCounts.map((motes) => ({ label: `fleet of ${motes}`, options: { motes } })),
  {
    label: "fleet of 10, the holder dies",
    outages: [{ kind: "mote", at: 0, downSeconds: 60, losesDisk: true }] satisfies Outage[],
  },
  { label: "one proxy", system: "proxy" },
  { label: "every node on its own", system: "own" },
];

/** Runs all simulations. Runs that are the same are made once. */
export async function runAll(): Promise<FleetResults> {
  const done = new Map<string, Promise<Measured>>();
  const once = (scenario: Scenario) => {
    const { trace, ...others } = scenario;
    const key = JSON.stringify([trace.seed, trace.pulls.length, others]);
    const measured = done.get(key) ?? simulate(scenario);
    done.set(key, measured);
    return measured;
  };
  const traces = new Map<number, Trace>();
  const morning = (ofSeed: number) => {
    const trace = traces.get(ofSeed) ?? makeTrace({ ...day, seed: ofSeed });
    traces.set(ofSeed, trace);
    return trace;
  };
  const rush = makeRush({ seed, clients: site.clients, image: rushImage() });
  const run = async ({ label, system = "fleet", options, outages = [] }: Variant, trace: Trace) => ({
    label,
    system,
    ...(await once({ system, options: { ...site, ...options }, trace, outages })),
  });
  const groups: Record<string, Run[]> = {};
  for (const [name, variants] of Object.entries(morningVariants)) {
    const runs: Run[] = [];
    for (const variant of variants) runs.push(await run(variant, morning(variant.seed ?? seed)));
    groups[name] = runs;
  }
  groups.rush = [];
  for (const variant of rushVariants) groups.rush.push(await run(variant, rush));
  return { seed, groups };
}

/** An image of 1 GB, most of it in one layer. */
export function rushImage(): Image {
  const catalogue = new Catalogue({ bases: 3, runtimes: 3, applications: 25 }, new SeededRandom(7));
  return catalogue.image(24);
}
