import type { Digest } from "@mote/core";
import { type Blob, Catalogue, type CatalogueOptions, type Image } from "./images.js";
import { SeededRandom, Zipf } from "./seeded-random.js";

/** A client that needs an image. */
interface Pull {
  /** Seconds since the beginning. */
  readonly at: number;
  readonly client: number;
  readonly image: Image;
  /** The rolling deployment that it is part of. */
  readonly deployment: number | undefined;
}

/** A pull, how long it took, and how much the client fetched. */
export interface TimedPull extends Pull {
  readonly seconds: number;
  readonly bytes: number;
}

export interface Trace {
  readonly seed: number;
  readonly pulls: readonly Pull[];
  /** The images that nodes have before the first pull, by client. */
  readonly stored: readonly (readonly Image[])[];
  /** Clients from this number on are runners, which have nothing at the start of each pull. */
  readonly firstRunner: number;
}

export interface TraceOptions extends CatalogueOptions {
  readonly seed: number;
  readonly hours: number;
  readonly nodes: number;
  readonly runners: number;
  /** How many applications a node runs at the beginning. */
  readonly applicationsPerNode: number;
  /** Images that a node gets and did not have, and jobs that a runner does, on average for each of them. */
  readonly pullsPerNodeAndHour: number;
  readonly jobsPerRunnerAndHour: number;
  /** Rolling deployments of one application to the nodes that run it. */
  readonly deploymentsPerHour: number;
  /** Deployments to all nodes, such as of an agent for logs. */
  readonly fleetWideDeployments: number;
  /** Seconds from the first node of a deployment to the last one. */
  readonly deploymentSeconds: number;
  readonly zipfExponent: number;
}

/** The second hour is the morning peak, with this many times as many pulls. */
const peakFactor = 3;
const hourSeconds = 3_600;

/** Makes up what a site pulls in some hours. Deterministic. */
export function makeTrace(options: TraceOptions): Trace {
  const random = new SeededRandom(options.seed);
  const catalogue = new Catalogue(options, random);
  const popularity = new Zipf(catalogue.count, options.zipfExponent);
  const running = Array.from({ length: options.nodes }, () => {
    const ranks = new Set<number>();
    while (ranks.size < options.applicationsPerNode) ranks.add(popularity.draw(random));
    return ranks;
  });
  const stored = running.map((ranks) => [...ranks].map((rank) => catalogue.image(rank)));
  const steps = [
    ...arrivals(options.nodes * options.pullsPerNodeAndHour, options.hours, random).map((at) => ({ at, kind: "node" })),
    ...arrivals(options.runners * options.jobsPerRunnerAndHour, options.hours, random).map((at) => ({
      at,
      kind: "job",
    })),
    ...arrivals(options.deploymentsPerHour, options.hours, random).map((at) => ({ at, kind: "deployment" })),
    ...Array.from({ length: options.fleetWideDeployments }, (_, at) => ({
      at: ((at + 0.5) / options.fleetWideDeployments) * options.hours * hourSeconds,
      kind: "fleet",
    })),
  ].sort((one, other) => one.at - other.at);
  const pulls: Pull[] = [];
  let deployments = 0;
  for (const { at, kind } of steps) {
    const rank = popularity.draw(random);
    if (kind === "node") {
      const client = random.below(options.nodes);
      running[client]?.add(rank);
      pulls.push({ at, client, image: catalogue.image(rank), deployment: undefined });
    } else if (kind === "job") {
      const client = options.nodes + random.below(options.runners);
      pulls.push({ at, client, image: catalogue.image(rank), deployment: undefined });
    } else {
      const all = Array.from(running.keys());
      const clients = kind === "fleet" ? all : all.filter((client) => running[client]?.has(rank));
      const image = catalogue.release(rank);
      for (const client of clients) running[client]?.add(rank);
      pulls.push(...rolledOut({ image, at, clients: random.shuffled(clients), options, deployment: deployments++ }));
    }
  }
  pulls.sort((one, other) => one.at - other.at);
  return { seed: options.seed, pulls, stored, firstRunner: options.nodes };
}

/** All clients pull one new image at the same moment. They have nothing. */
export function makeRush(rush: { readonly seed: number; readonly clients: number; readonly image: Image }): Trace {
  const { seed, clients, image } = rush;
  const pulls = Array.from({ length: clients }, (_, client) => ({ at: 0, client, image, deployment: 0 }));
  return { seed, pulls, stored: [], firstRunner: clients };
}

function rolledOut(rollout: {
  readonly image: Image;
  readonly at: number;
  readonly clients: readonly number[];
  readonly options: TraceOptions;
  readonly deployment: number;
}): Pull[] {
  const { image, at, clients, options, deployment } = rollout;
  const interval = options.deploymentSeconds / Math.max(1, clients.length);
  return clients.map((client, order) => ({ at: at + order * interval, client, image, deployment }));
}

/** Returns points in time, of which there are `perHour` in an hour, and more in the second hour. */
function arrivals(perHour: number, hours: number, random: SeededRandom): number[] {
  const times: number[] = [];
  if (perHour === 0) return times;
  const highest = (perHour * peakFactor) / hourSeconds;
  for (let at = random.interval(highest); at < hours * hourSeconds; at += random.interval(highest)) {
    const isPeak = Math.floor(at / hourSeconds) === 1;
    if (random.next() < (isPeak ? 1 : 1 / peakFactor)) times.push(at);
  }
  return times;
}

/** Returns the blobs that any client needs from elsewhere: what every system has to fetch at least once. */
export function neededBlobs({ pulls, stored, firstRunner }: Trace): ReadonlyMap<Digest, Blob> {
  const needed = new Map<Digest, Blob>();
  const owned = stored.map((images) => new Set(images.flatMap(({ layers }) => layers.map(({ digest }) => digest))));
  for (const { client, image } of pulls) {
    const has = client < firstRunner ? (owned[client] ?? new Set<Digest>()) : new Set<Digest>();
    owned[client] = has;
    for (const blob of [image.manifest, ...image.layers]) {
      if (has.has(blob.digest)) continue;
      has.add(blob.digest);
      needed.set(blob.digest, blob);
    }
  }
  return needed;
}
