import { bicSuite } from "./bic-facts.js";
import { engineSuite, syncSuite } from "./cache-engine.js";
import { cacheSuite } from "./cache-put-get.js";
import type { Row } from "./compare.js";
import { namesSuite } from "./many-names.js";
import { streamsSuite } from "./many-streams.js";
import { pruneSuite } from "./prune-million.js";
import { pullSuite } from "./pull-skopeo.js";
import { refSuite } from "./ref-parse.js";
import { startSuite } from "./start-up.js";

export interface Suite {
  /** The heading in the report. */
  readonly title: string;
  /** What is measured, in one or two sentences. */
  readonly about: string;
  /** Whether to use the disk of the temporary directory instead of memory. */
  readonly onDisk?: boolean;
  /** Writes only below `folder`, which is removed afterwards. */
  rows(folder: string): AsyncIterable<Row>;
}

/** Every benchmark by name, in the order of the report. */
export const suites: Readonly<Record<string, Suite>> = {
  pull: {
    title: "Pulling images, compared with skopeo",
    about:
      "Complete processes, from Debian's docker-registry on loopback into an OCI image layout. Cold: nothing is cached. " +
      "Warm: the image is in mote's cache, the layout is new; skopeo has no cache and fetches it again. Delayed requests reach the " +
      "registry through a proxy that delays each. Layers are random bytes.",
    rows: pullSuite,
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
  ref: {
    title: "References",
    about: "Parsing and formatting of references, compared with functions of the platform on the same texts.",
    rows: refSuite,
  },
};
