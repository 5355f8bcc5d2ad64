import { bicSuite } from "./bic-facts.js";
import { engineSuite, syncSuite } from "./cache-engine.js";
import { cacheSuite } from "./cache-put-get.js";
import type { Row } from "./compare.js";
import { streamsSuite } from "./many-streams.js";
import { pruneSuite } from "./prune-million.js";
import { pullSuite } from "./pull-skopeo.js";
import { refSuite } from "./ref-parse.js";
import { startSuite } from "./start-up.js";

export interface Suite {
  /** Its heading in the report. */
  readonly title: string;
  /** What is measured, in a sentence or two for the report. */
  readonly about: string;
  /** Measures the disk that the temporary folder is on, not memory. */
  readonly onDisk?: boolean;
  /** Writes below `folder` only, which is made for it and removed afterwards. */
  rows(folder: string): AsyncIterable<Row>;
}

/** Every benchmark, by the name to ask for it. The report has them in this order. */
export const suites: Readonly<Record<string, Suite>> = {
  pull: {
    title: "Pulling images, beside skopeo",
    about:
      "Whole processes, from Debian's docker-registry on loopback into an OCI image layout. Cold: neither has anything. " +
      "Warm: mote's cache has the image, its layout is new; skopeo keeps no cache, so it fetches again. Later requests reach the " +
      "registry through a proxy that holds each up. Layers are random bytes.",
    rows: pullSuite,
  },
  start: {
    title: "Starting",
    about:
      "Whole processes, beside the emptiest one that Node can start. Not the first of their kind: what the engine compiled is kept from " +
      "the warm-up. `NODE_EXTRA_CA_CERTS` is not set, here and above: Node would read those certificates at each start.",
    rows: startSuite,
  },
  cache: {
    title: "The cache, beside cacache",
    about:
      "npm's content-addressed cache and mote put and get the same blobs. Neither syncs to disk here; both verify.",
    rows: cacheSuite,
  },
  engine: {
    title: "The cache engine, beside bare calls and openssl",
    about:
      "What is lost against the shortest loop of Node's system calls that does the work, and against `openssl dgst` reading the " +
      "same file. Bare calls keep no promise: no check for what is there, no clean-up, no cancellation.",
    rows: engineSuite,
  },
  prune: {
    title: "Pruning a million blobs",
    about:
      "Half of a million blobs goes, the least recently used first, in a process of its own; beside the shortest program that " +
      "lists a folder, looks at each file and removes half of them. Takes some minutes.",
    rows: pruneSuite,
  },
  streams: {
    title: "Many streams at once",
    about: "How much more memory a process takes, and how long its event loop does not turn.",
    rows: streamsSuite,
  },
  sync: {
    title: "Durable writes, beside a sync for each file",
    about: "On a disk: many callers put small blobs that must survive a power cut.",
    onDisk: true,
    rows: syncSuite,
  },
  bic: {
    title: "The blob-info cache, beside LMDB and SQLite",
    about:
      "What is known about blobs: beside bare LMDB, and beside SQLite with the tables and queries that Podman has there.",
    rows: bicSuite,
  },
  ref: {
    title: "References",
    about: "Parsing and formatting of references, beside what the platform does with the same texts.",
    rows: refSuite,
  },
};
