import type { Figure } from "../compare.js";
import { type FleetResults, lastAgainstFirst, type Run, upstreamRatio } from "./fleet-results.js";
import { runAll } from "./scenarios.js";

let latest: FleetResults | undefined;

/** Simulates a fleet of mirrors, and compares it with its goals. */
export async function* fleetSuite(): AsyncGenerator<Figure, void, undefined> {
  const results = await runAll();
  latest = results;
  const find = (group: string, label: string): Run => {
    const run = results.groups[group]?.find((one) => one.label === label);
    if (run === undefined) throw new Error(`${group} has no run "${label}"`);
    return run;
  };
  const fleet = find("systems", "fleet of 10, bucket");
  const rows: [string, Run, (run: Run) => number, number][] = [
    ["bytes from the registry, per byte that is needed", fleet, upstreamRatio, 1.02],
    ["… while 8 motes die in mid-fetch", find("outages", "8 motes die in mid-fetch, disks lost"), upstreamRatio, 1.02],
    [
      "… while the bucket, with the leases, is down for 10 of 120 minutes",
      find("outages", "bucket down for 10 minutes, with the leases"),
      upstreamRatio,
      1.02,
    ],
    ["slowest client of a rolling deployment, per second of its first", fleet, slowest, 1.5],
    ["1,000 clients at once: last against first", find("rush", "fleet of 10"), lastAgainstFirst, 1.5],
    ["… while the holder dies", find("rush", "fleet of 10, the holder dies"), lastAgainstFirst, 1.5],
  ];
  for (const [title, run, value, atMost] of rows) {
    yield { title, unit: "×", atMost, measure: async () => value(run) };
  }
}

/** Returns the results of the last run in this process, for the pages about them. */
export function fleetResults(): FleetResults | undefined {
  return latest;
}

function slowest({ slowestAgainstFirst }: Run): number {
  return slowestAgainstFirst.most;
}
