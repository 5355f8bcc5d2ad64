import type { Simulation } from "../network/simulation.js";
import type { Bucket } from "./bucket.js";
import type { Client } from "./client.js";
import type { MoteServer } from "./mote-server.js";
import type { Registry } from "./registry.js";
import { neededBlobs, type TimedPull, type Trace } from "./trace.js";

/** What came out of a simulation. Bytes, seconds and counts. */
export interface Measured {
  readonly pulls: number;
  readonly events: number;
  /** When the last byte arrived. */
  readonly endSeconds: number;
  /** The bytes of all blobs that any client needs, each counted once. */
  readonly uniqueBytes: number;
  readonly upstreamBytes: number;
  readonly upstreamRequests: number;
  readonly tagChecks: number;
  readonly deliveredBytes: number;
  /** Bytes that arrived at clients, including those of blobs that they got in two halves. */
  readonly clientBytes: number;
  readonly incompleteBlobs: number;
  readonly tierReadBytes: number;
  readonly tierReads: number;
  readonly tierWriteBytes: number;
  readonly tierWrites: number;
  readonly tierLookUps: number;
  /** Bytes that motes sent to each other. */
  readonly memberBytes: number;
  readonly moteSentBytes: number;
  readonly moteReceivedBytes: number;
  readonly pullSeconds: Percentiles;
  /** Of each rolling deployment: the time of its slowest client, divided by that of its first. */
  readonly slowestAgainstFirst: Percentiles;
  /** When the first pull was complete, and when the last one was. */
  readonly firstSeconds: number;
  readonly lastSeconds: number;
}

interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly most: number;
}

/** Clients of a rolling deployment that is counted. */
const minClients = 20;

export function measure(run: {
  readonly simulation: Simulation;
  readonly registry: Registry;
  readonly bucket: Bucket;
  readonly motes: readonly MoteServer[];
  readonly clients: readonly Client[];
  readonly pulls: readonly TimedPull[];
  readonly trace: Trace;
}): Measured {
  const { simulation, registry, bucket, motes, clients, pulls, trace } = run;
  const deployments = byDeployment(pulls);
  const ends = pulls.map(({ at, seconds }) => at + seconds);
  return {
    pulls: pulls.length,
    events: simulation.events,
    endSeconds: simulation.now,
    uniqueBytes: sum([...neededBlobs(trace).values()].map(({ bytes }) => bytes)),
    upstreamBytes: registry.link.bytes,
    upstreamRequests: registry.requests,
    tagChecks: registry.checks,
    deliveredBytes: sum(clients.map(({ deliveredBytes }) => deliveredBytes)),
    clientBytes: sum(clients.map(({ link }) => link.bytes)),
    incompleteBlobs: sum(clients.map(({ incomplete }) => incomplete)),
    tierReadBytes: bucket.outgoing.bytes,
    tierReads: bucket.reads,
    tierWriteBytes: bucket.incoming.bytes,
    tierWrites: bucket.writes,
    tierLookUps: bucket.lookUps,
    memberBytes: sum(motes.map(({ toMembers }) => toMembers.bytes)),
    moteSentBytes: sum(motes.map(({ outgoing }) => outgoing.bytes)),
    moteReceivedBytes: sum(motes.map(({ incoming }) => incoming.bytes)),
    pullSeconds: percentilesOf(pulls.map(({ seconds }) => seconds)),
    slowestAgainstFirst: percentilesOf([...deployments.values()].flatMap(slowestAgainstFirst)),
    firstSeconds: ends.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY),
    lastSeconds: ends.reduce((one, other) => Math.max(one, other), 0),
  };
}

function byDeployment(pulls: readonly TimedPull[]): ReadonlyMap<number, TimedPull[]> {
  const deployments = new Map<number, TimedPull[]>();
  for (const pull of pulls) {
    if (pull.deployment === undefined) continue;
    const others = deployments.get(pull.deployment) ?? [];
    others.push(pull);
    deployments.set(pull.deployment, others);
  }
  return deployments;
}

/** Compares only clients that lacked as much as the first one. */
function slowestAgainstFirst(pulls: readonly TimedPull[]): number[] {
  const [first] = [...pulls].sort((one, other) => one.at - other.at);
  const alike = pulls.filter(({ bytes }) => bytes === first?.bytes);
  if (first === undefined || alike.length < minClients) return [];
  return [Math.max(...alike.map(({ seconds }) => seconds)) / first.seconds];
}

function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), most: sorted.at(-1) ?? 0 };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
