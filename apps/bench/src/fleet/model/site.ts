/** The machines and networks of a site. Rates in bytes per second, delays in seconds from a request to the first byte of its response. */
export interface SiteOptions {
  readonly clients: number;
  readonly motes: number;
  /** Of each mote and each client, in both directions. */
  readonly moteRate: number;
  readonly clientRate: number;
  /** The connection of the site to the registry, and the most that one request gets. */
  readonly upstreamRate: number;
  readonly upstreamRequestRate: number;
  readonly bucketRate: number;
  readonly bucketRequestRate: number;
  readonly upstreamDelay: number;
  readonly bucketDelay: number;
  readonly leaseDelay: number;
  /** Within the site. */
  readonly localDelay: number;
  /** What fits on the disk of each mote. */
  readonly diskBytes: number;
  /** Whether the motes of a fleet share a bucket. */
  readonly hasBucket: boolean;
  /** Whether clients are on the motes in turn, or at random. */
  readonly spread: "even" | "random";
  /** Whether leases are objects in the bucket, which are lost with it, or in Redis. */
  readonly leasesIn: "bucket" | "redis";
}

export type System = "fleet" | "proxy" | "own";

/** Something that happens to the site. */
export type Outage =
  /** The next mote that fetches a large blob from the registry dies half a second later, and starts again after a while. */
  | { readonly kind: "mote"; readonly at: number; readonly downSeconds: number; readonly losesDisk: boolean }
  | { readonly kind: "bucket"; readonly at: number; readonly downSeconds: number };

/** Thrown to callers that wait for a machine that is down, or lacks the blob. */
export class Unavailable extends Error {}
