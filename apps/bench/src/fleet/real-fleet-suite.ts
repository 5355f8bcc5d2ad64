import { digestBytes } from "@mote/core";
import { needs } from "@mote/testbed";
import type { Figure } from "../compare.js";
import type { Measured } from "./model/measured.js";
import { simulate } from "./model/simulate.js";
import { makeRush } from "./model/trace.js";
import { type RealFleetRun, runRealFleet } from "./real-fleet.js";
import { site } from "./scenarios.js";

/** What came of a real run, without the times of each client. */
interface RealFigures extends Omit<RealFleetRun, "firstByteSeconds" | "seconds"> {
  readonly firstSeconds: number;
  readonly lastSeconds: number;
}

/** A real run, and the same in the simulation. */
export interface FleetComparison {
  readonly real: RealFigures;
  readonly simulated: Pick<
    Measured,
    "upstreamBytes" | "upstreamRequests" | "memberBytes" | "firstSeconds" | "lastSeconds"
  >;
}

const latest: FleetComparison[] = [];
/** The higher rate is more than two cores can pass on to all clients. */
const rates = [10_000_000, 25_000_000];

/** Runs real fleets once each, compares them with the goals, and simulates the same. */
export async function* realFleetSuite(folder: string): AsyncGenerator<Figure, void, undefined> {
  const missing = needs("curl", "redis-server");
  if (missing !== "") {
    console.error(`  fleet-run${missing}`);
    return;
  }
  for (const bytesPerSecond of rates) {
    const options = { members: 4, clients: 32, layerBytes: 100_000_000, bytesPerSecond };
    const { seconds, firstByteSeconds: _, ...counts } = await runRealFleet(folder, options);
    const real = { ...counts, firstSeconds: seconds[0] ?? 0, lastSeconds: seconds.at(-1) ?? 0 };
    const comparison = { real, simulated: await simulateRun(real) };
    latest.push(comparison);
    yield* figures(comparison);
  }
}

function* figures({ real, simulated }: FleetComparison): Generator<Figure, void, undefined> {
  const { bytesPerSecond, firstSeconds: first, lastSeconds: last } = real;
  const deviation = (one: number, other: number) => 100 * Math.abs(one / other - 1);
  const upstream = `upstream at ${bytesPerSecond / 1e6} MB/s`;
  const rows: [string, string, number, number][] = [
    ["requests for the layer", "requests", real.upstreamRequests, 1],
    ["bytes from the upstream, per byte that is needed", "×", real.upstreamBytes / real.uniqueBytes, 1.02],
    ["last client against the first", "×", last / first, 1.5],
    ["last client against one of the upstream alone", "×", last / real.aloneSeconds, 1.5],
    ["deviation of the simulated bytes", "%", deviation(simulated.upstreamBytes, real.upstreamBytes), 2],
    ["deviation of the simulated last client", "%", deviation(simulated.lastSeconds, last), 20],
  ];
  for (const [title, unit, value, atMost] of rows) {
    yield { title: `${upstream}: ${title}`, unit, atMost, measure: async () => value };
  }
}

/** Returns the last runs in this process, for the page about them. */
export function fleetComparisons(): readonly FleetComparison[] {
  return latest;
}

/**
 * Simulates a run. All processes share the processors of one machine, so that the rate of a member is its share of what all have sent when they
 * had everything.
 */
async function simulateRun(real: RealFigures): Promise<FleetComparison["simulated"]> {
  const { members, clients, layerBytes, uniqueBytes, warmBytesPerSecond, aloneSeconds } = real;
  const blob = (name: string, bytes: number) => ({ digest: digestBytes(new TextEncoder().encode(name)), bytes });
  const image = {
    name: "image",
    manifest: blob("manifest", uniqueBytes - layerBytes),
    layers: [blob("layer", layerBytes)],
  };
  const { upstreamBytes, upstreamRequests, memberBytes, firstSeconds, lastSeconds } = await simulate({
    system: "fleet",
    options: {
      ...site,
      clients,
      motes: members,
      moteRate: warmBytesPerSecond / members,
      clientRate: warmBytesPerSecond,
      upstreamRate: warmBytesPerSecond,
      upstreamRequestRate: layerBytes / aloneSeconds,
      upstreamDelay: 0.002,
      leaseDelay: 0.001,
      spread: "even",
      hasBucket: false,
      leasesIn: "redis",
    },
    trace: makeRush({ seed: 1, clients, image }),
  });
  return { upstreamBytes, upstreamRequests, memberBytes, firstSeconds, lastSeconds };
}
