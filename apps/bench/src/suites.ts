import { bicSuite } from "./bic-facts.js";
import { engineSuite, syncSuite } from "./cache-engine.js";
import { cacheSuite } from "./cache-put-get.js";
import type { Row } from "./compare.js";
import { deltaSuite } from "./delta/delta-suite.js";
import { fleetResults, fleetSuite } from "./fleet/fleet-suite.js";
import { fleetComparisons, realFleetSuite } from "./fleet/real-fleet-suite.js";
import { largeBlobSuite } from "./large-blob.js";
import { namesSuite } from "./many-names.js";
import { streamsSuite } from "./many-streams.js";
import { mirrorSuite } from "./mirror-suite.js";
import { pruneSuite } from "./prune-million.js";
import { pullSuite } from "./pull/pull-suite.js";
import { redisSuite } from "./redis-facts.js";
import { refSuite } from "./ref-parse.js";
import type { Results } from "./results.js";
import { s3Suite } from "./s3-read.js";
import { startSuite } from "./start-up.js";
import { syncImagesSuite } from "./sync-images.js";
import { tieredSuite } from "./tiered-warm.js";

export interface Suite {
  /** The heading in the report. */
  readonly title: string;
  /** What is measured, in one or two sentences. */
  readonly about: string;
  /** Whether to use the disk of the temporary directory instead of memory. */
  readonly onDisk?: boolean;
  /** Writes only below `folder`, which is removed afterwards. */
  rows(folder: string): AsyncIterable<Row>;
  /** Returns results of the last run that pages of their own show. */
  details?(): Pick<Results, "fleet" | "realFleets">;
}

/** Every benchmark by name, in the order of the report. */
export const suites: Readonly<Record<string, Suite>> = {
  pull: {
    title: "Pulling images, compared with registry tools",
    about:
      "Complete processes, from Debian's docker-registry on loopback into an OCI image layout. The peers are those of skopeo, crane, oras " +
      "and regctl that are installed; the ratio is that to the fastest. Cold: nothing is cached. Warm: the image is in mote's cache, the " +
      "layout is new; the others fetch it again. Where an earlier layout was removed, mote hashes the layers again. Far away: behind a proxy that delays the opening of a connection and each request by " +
      "20 ms, and lets 100 MB/s through. Gzip layers of 82 MB are made of files of the machine; the others are random bytes.",
    rows: pullSuite,
  },
  "large-blob": {
    title: "A large blob over several connections",
    about:
      "Complete processes: the same pull with and without parallel ranges, from a server on loopback that generates the blob, with a limited rate " +
      "for each connection and without; and the same through `mote serve`, for one client (`curl`) that discards the blob. Takes some minutes, and memory " +
      "for the blob.",
    rows: largeBlobSuite,
  },
  many: {
    title: "Syncing many images, compared with skopeo sync",
    about:
      "Complete processes: 100 images in 10 repositories that share most of their layers, from one docker-registry on loopback to another. " +
      "First: the destination and mote's cache are empty. Layers are random bytes.",
    rows: syncImagesSuite,
  },
  mirror: {
    title: "A pull-through mirror, compared with its upstream and Distribution",
    about:
      "`mote serve` in front of a registry on loopback. Clients are `curl`. Cold: nothing is cached, and the upstream sends at a limited rate. " +
      "Warm: everything is cached; the peer is Distribution as a pull-through cache, Debian's package and, if it is installed, the current " +
      "`registry`. Manifests are requested on kept-alive connections.",
    rows: mirrorSuite,
  },
  "fleet-run": {
    title: "Four mirrors as one",
    about:
      "Four `mote serve` with empty caches and one Redis on loopback; 32 clients (`curl`) read a layer of 100 MB at once, eight from each of them. " +
      "The upstream sends it at a limited rate, of which the higher one is more than two cores pass on. " +
      "The [simulation](benchmarks/fleet.md#a-real-run) of the same run gets the rates that were measured.",
    rows: realFleetSuite,
    details: () => ({ realFleets: fleetComparisons() }),
  },
  delta: {
    title: "Deltas between versions of packages",
    about:
      "Complete processes: `mote delta` between an image with the old and one with the new versions of real Debian and npm packages, and `mote pull` " +
      "of the new one where the old one is stored, from docker-registry on loopback. Each set of packages is a layer, compressed as crane, " +
      "skopeo and zlib do. The packages are fetched first; each is measured once. 1 MB/s: behind a proxy, compared with fetching the layers.",
    rows: deltaSuite,
  },
  start: {
    title: "Start-up",
    about:
      "Complete processes, compared with an empty Node script. Compiled code is cached from " +
      "the warm-up. `NODE_EXTRA_CA_CERTS` is not set, here and above, because Node would read those certificates at each start.",
    rows: startSuite,
  },
  cache: {
    title: "The cache, compared with cacache",
    about:
      "mote and cacache, npm's content-addressed cache, write and read the same blobs. Neither syncs to disk here; both verify.",
    rows: cacheSuite,
  },
  engine: {
    title: "The cache engine, compared with bare calls and openssl",
    about:
      "The overhead over the shortest loop of Node's system calls that does the work, and over `openssl dgst` reading the " +
      "same file. Bare calls guarantee nothing: no check for existing blobs, no clean-up, no cancellation.",
    rows: engineSuite,
  },
  names: {
    title: "Many names",
    about:
      "Setting, resolving, removing and listing names in a cache with 10,000 of them, compared with the same in a cache with 200. " +
      "index.json is written in the background meanwhile.",
    rows: namesSuite,
  },
  prune: {
    title: "Pruning a million blobs",
    about:
      "Removes half of a million blobs, the least recently used first, in a new process, compared with the shortest program that " +
      "lists a directory, stats each file and removes half of them. Takes some minutes.",
    rows: pruneSuite,
  },
  streams: {
    title: "Many parallel streams",
    about: "The additional memory of a process, and how long its event loop is blocked.",
    rows: streamsSuite,
  },
  sync: {
    title: "Durable writes, compared with a sync for each file",
    about: "On a disk: many callers write small blobs that must survive a power failure.",
    onDisk: true,
    rows: syncSuite,
  },
  bic: {
    title: "The blob-info cache, compared with LMDB and SQLite",
    about: "Records about blobs, compared with bare LMDB, and with SQLite and Podman's tables and queries.",
    rows: bicSuite,
  },
  redis: {
    title: "The blob-info cache in Redis, compared with ioredis",
    about:
      "Records and look-ups over Debian's redis-server on loopback, compared with a loop of plain commands, which order, expire and " +
      "bound nothing. Look-ups: 100 at a time.",
    rows: redisSuite,
  },
  s3: {
    title: "The cache in a bucket, compared with aws4fetch",
    about:
      "One blob, over versitygw and Ceph's radosgw on loopback, compared with one loop that fetches with aws4fetch, hashes and stores. " +
      "mote writes in parts, whose hashes the service verifies.",
    rows: s3Suite,
  },
  tiered: {
    title: "A tiered cache, compared with its near cache alone and with plain requests",
    about:
      "Existence and reads where the near cache has everything; what a second machine gets from a bucket (versitygw, or Ceph's radosgw, on loopback), " +
      "compared with one loop that fetches with aws4fetch, hashes and stores; and how long 200 look-ups take.",
    rows: tieredSuite,
  },
  fleet: {
    title: "A simulated fleet of mirrors",
    about:
      "1,000 clients, 10 motes with a shared bucket, and two hours of pulls, [simulated](benchmarks/fleet.md): other systems, numbers of motes, " +
      "failures and bandwidths are there, and [what the model leaves out](explanation/fleet.md). Deterministic.",
    rows: fleetSuite,
    details: () => {
      const fleet = fleetResults();
      return fleet === undefined ? {} : { fleet };
    },
  },
  ref: {
    title: "References",
    about: "Parsing and formatting of references, compared with functions of the platform on the same texts.",
    rows: refSuite,
  },
};
