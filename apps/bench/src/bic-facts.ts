import { rm } from "node:fs/promises";
import { join } from "node:path";
import { LmdbBlobInfoCache } from "@mote/bic-lmdb";
import { type Digest, digestBytes } from "@mote/core";
import Database from "libsql";
import { open } from "lmdb";
import type { Comparison } from "./compare.js";

const few = 5_000;
const many = 500_000;
const lookups = 20_000;
const opens = 50;
const transport = "oci";
const scope = "Layer";

/** Compares the blob-info cache with LMDB alone, and with SQLite and Podman's tables and queries. */
export async function* bicSuite(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const path = join(folder, "few.lmdb");
  const digests = makeDigests(few);
  const bic = new LmdbBlobInfoCache(path);
  await fill(bic, digests);
  const raw = rawRows(path, digests);
  const sqlite = new PodmanTables(join(folder, "few.sqlite"));
  sqlite.record(digests);

  const lookUp = { unit: "operations", amount: lookups } as const;
  const mote = { name: "mote", run: () => lookUpAll(bic, digests) };
  yield {
    ...lookUp,
    title: "look up candidates",
    goal: 0.4,
    mote,
    peer: { name: "lmdb, the same rows", run: () => repeat(digests, (_, at) => raw.get(at)) },
  };
  yield {
    ...lookUp,
    title: "look up candidates",
    mote,
    peer: { name: "SQLite", run: () => repeat(digests, (digest) => sqlite.lookUp(digest)) },
  };
  yield opened(path, folder, digests);
  await raw.close();

  yield recorded(folder);

  const manyDigests = makeDigests(many / 2);
  const large = new LmdbBlobInfoCache(join(folder, "many.lmdb"));
  await fill(large, manyDigests);
  yield {
    ...lookUp,
    title: "look up among half a million facts",
    goal: 0.5,
    mote: { name: "mote", run: () => lookUpAll(large, manyDigests) },
    peer: { name: "among 10,000", run: () => lookUpAll(bic, digests) },
  };
  await large.close();
  await bic.close();
  sqlite.close();
}

function opened(path: string, folder: string, [digest]: readonly Digest[]): Comparison {
  return {
    title: "open, one look-up, close",
    unit: "operations",
    amount: opens,
    goalPerSecond: 1000 / 3,
    mote: {
      name: "mote",
      run: async () => {
        for (let i = 0; i < opens; i++) {
          const bic = new LmdbBlobInfoCache(path);
          if (digest !== undefined) await lookUpAll(bic, [digest], 1);
          await bic.close();
        }
      },
    },
    peer: {
      name: "SQLite",
      run: async () => {
        for (let i = 0; i < opens; i++) {
          const sqlite = new PodmanTables(join(folder, "few.sqlite"));
          if (digest !== undefined) sqlite.lookUp(digest);
          sqlite.close();
        }
      },
    },
  };
}

function recorded(folder: string): Comparison {
  const digests = makeDigests(lookups);
  const fresh = (name: string) => rm(join(folder, name), { recursive: true, force: true });
  return {
    title: "record locations, together",
    unit: "operations",
    amount: digests.length,
    goalPerSecond: 100_000,
    mote: {
      name: "mote",
      prepare: () => fresh("record"),
      run: async () => {
        const bic = new LmdbBlobInfoCache(join(folder, "record", "bic.lmdb"));
        await Promise.all(digests.map((digest) => bic.recordKnownLocation(transport, scope, digest, placeOf(digest))));
        await bic.close();
      },
    },
    peer: {
      name: "SQLite, one transaction",
      prepare: async () => {
        for (const name of ["record.sqlite", "record.sqlite-wal", "record.sqlite-shm"]) await fresh(name);
      },
      run: async () => {
        const sqlite = new PodmanTables(join(folder, "record.sqlite"));
        sqlite.recordLocations(digests);
        sqlite.close();
      },
    },
  };
}

function makeDigests(count: number): Digest[] {
  const encoder = new TextEncoder();
  return Array.from({ length: count }, (_, i) => digestBytes(encoder.encode(`blob ${i}`)));
}

const placeOf = (digest: Digest) => `docker://registry.example/team/project/app-${digest.slice(-4)}:1.0`;

/** Records two facts for each digest: its location and its compression. */
async function fill(bic: LmdbBlobInfoCache, digests: readonly Digest[]): Promise<void> {
  for (let at = 0; at < digests.length; at += lookups) {
    const some = digests.slice(at, at + lookups);
    await Promise.all(
      some.flatMap((digest) => [
        bic.recordKnownLocation(transport, scope, digest, placeOf(digest)),
        bic.recordDigestTransformerName(digest, "gzip"),
      ]),
    );
  }
}

async function lookUpAll(bic: LmdbBlobInfoCache, digests: readonly Digest[], count = lookups): Promise<void> {
  for (let i = 0; i < count; i++) {
    // The stride visits every digest, far from the previous one.
    const digest = digests[(i * 7_919) % digests.length];
    if (digest === undefined) continue;
    const found = await bic.candidateLocations(transport, scope, digest, { canSubstitute: false });
    if (found.length !== 1) throw new Error(`${digest} is not known`);
  }
}

async function repeat(digests: readonly Digest[], work: (digest: Digest, at: number) => unknown): Promise<void> {
  for (let i = 0; i < lookups; i++) {
    const at = (i * 7_919) % digests.length;
    const digest = digests[at];
    if (digest !== undefined && work(digest, at) === undefined) throw new Error(`${digest} is not known`);
  }
}

/** Reads the rows of a lookup with LMDB alone. */
function rawRows(path: string, digests: readonly Digest[]) {
  const db = open<Buffer, Buffer>({
    path,
    noSubdir: true,
    keyEncoding: "binary",
    encoding: "binary",
    overlappingSync: false,
  });
  const keys = new Map<string, Buffer[]>();
  for (const key of db.getKeys({ start: Buffer.from([3]) })) {
    const encoded = key.toString("hex", key.length - 32);
    keys.set(encoded, [...(keys.get(encoded) ?? []), Buffer.from(key)]);
  }
  const ordered = digests.map((digest) => keys.get(digest.slice("sha256:".length)) ?? []);
  return {
    get(at: number): unknown {
      let last: unknown;
      for (const key of ordered[at] ?? []) last = db.get(key);
      return last;
    },
    close: () => db.close(),
  };
}

class PodmanTables {
  readonly #db: Database.Database;
  readonly #locations: Database.Statement;
  readonly #compressor: Database.Statement;

  constructor(path: string) {
    this.#db = new Database(path);
    this.#db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS DigestCompressors(digest TEXT PRIMARY KEY NOT NULL, compressor TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS KnownLocations(transport TEXT NOT NULL, scope TEXT NOT NULL, digest TEXT NOT NULL,
        location TEXT NOT NULL, time TIMESTAMP NOT NULL, PRIMARY KEY (transport, scope, digest, location));`);
    this.#compressor = this.#db.prepare("SELECT compressor FROM DigestCompressors WHERE digest = ?");
    this.#locations = this.#db.prepare(
      "SELECT location, time FROM KnownLocations WHERE transport = ? AND scope = ? AND digest = ?",
    );
  }

  lookUp(digest: Digest): unknown {
    this.#compressor.get(digest);
    return this.#locations.all(transport, scope, digest)[0];
  }

  record(digests: readonly Digest[]): void {
    const compressor = this.#db.prepare("INSERT OR REPLACE INTO DigestCompressors VALUES (?, ?)");
    this.#db.transaction(() => {
      for (const digest of digests) compressor.run(digest, "gzip");
    })();
    this.recordLocations(digests);
  }

  recordLocations(digests: readonly Digest[]): void {
    const location = this.#db.prepare("INSERT OR REPLACE INTO KnownLocations VALUES (?, ?, ?, ?, ?)");
    this.#db.transaction(() => {
      for (const digest of digests) location.run(transport, scope, digest, placeOf(digest), new Date().toISOString());
    })();
  }

  close(): void {
    this.#db.close();
  }
}
