import { MemoryFetchLeases } from "@mote/core";
import { Simulation } from "../network/simulation.js";
import { Bucket } from "./bucket.js";
import { Client } from "./client.js";
import { FleetOrigin } from "./fleet-origin.js";
import type { Blob } from "./images.js";
import { type Measured, measure } from "./measured.js";
import { MoteServer } from "./mote-server.js";
import { ProxyOrigin } from "./proxy-origin.js";
import { Registry } from "./registry.js";
import { SeededRandom } from "./seeded-random.js";
import type { Outage, SiteOptions, System } from "./site.js";
import type { TimedPull, Trace } from "./trace.js";

export interface Scenario {
  readonly system: System;
  readonly options: SiteOptions;
  readonly trace: Trace;
  readonly outages?: readonly Outage[];
}

/** A fetch during which a mote dies has at least this many bytes. */
const minFatalBytes = 20e6;
const fatalSeconds = 0.5;

/** Runs a trace through a system. */
export async function simulate({ system, options, trace, outages = [] }: Scenario): Promise<Measured> {
  const simulation = new Simulation();
  const registry = new Registry(simulation, options);
  const bucket = new Bucket(simulation, options);
  const count = { fleet: options.motes, proxy: 1, own: 0 }[system];
  const motes = Array.from(
    { length: count },
    (_, at) => new MoteServer(`http://mote-${at}:5000`, simulation, registry, options),
  );
  const onLead = outagesOf(outages, simulation, bucket);
  const leases = new MemoryFetchLeases({ now: () => simulation.now * 1000 });
  const members = new Map(motes.map((mote) => [mote.name, mote]));
  const fleet = { simulation, registry, bucket, leases, members, options, onLead };
  for (const mote of motes) {
    mote.connect(system === "fleet" ? new FleetOrigin(mote, fleet) : new ProxyOrigin(mote, registry, onLead));
  }
  const random = new SeededRandom(trace.seed);
  const clients = Array.from({ length: options.clients }, (_, at) => {
    return new Client(`client ${at}`, {
      simulation,
      registry,
      motes: options.spread === "random" ? random.shuffled(motes) : rotated(motes, at),
      stored: at < trace.firstRunner ? (trace.stored[at] ?? []) : undefined,
      options,
    });
  });
  const pulls: TimedPull[] = [];
  for (const pull of trace.pulls) {
    simulation.at(pull.at, async () => {
      const done = await clients[pull.client]?.pull(pull.image);
      if (done !== undefined) pulls.push({ ...pull, ...done });
    });
  }
  await simulation.run();
  return measure({ simulation, registry, bucket, motes, clients, pulls, trace });
}

/** Makes things happen at their time. Returns what is to be called when a mote begins to fetch from the registry. */
function outagesOf(
  outages: readonly Outage[],
  simulation: Simulation,
  bucket: Bucket,
): (mote: MoteServer, blob: Blob) => void {
  const armed: { readonly downSeconds: number; readonly losesDisk: boolean }[] = [];
  for (const outage of outages) {
    simulation.at(outage.at, () => {
      if (outage.kind === "mote") {
        armed.push(outage);
        return;
      }
      bucket.stop();
      simulation.at(simulation.now + outage.downSeconds, () => bucket.start());
    });
  }
  return (mote, { bytes }) => {
    if (bytes < minFatalBytes) return;
    const next = armed.shift();
    if (next === undefined) return;
    simulation.at(simulation.now + fatalSeconds, () => {
      mote.stop();
      simulation.at(simulation.now + next.downSeconds, () => mote.start(next));
    });
  };
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const first = by % Math.max(1, items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}
