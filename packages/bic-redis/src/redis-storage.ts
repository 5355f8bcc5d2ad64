import {
  type BlobFact,
  type FactCounts,
  type FactReader,
  type FactRows,
  type FactStorage,
  type LocationFact,
  nextSequence,
  type SequenceClock,
} from "@mote/bic";
import { MoteError } from "@mote/core";
import { FetchedRows, type FetchedValue, type RowRead } from "./fetched-rows.js";
import type { RedisClient, RedisConnection } from "./redis-connection.js";
import { unsupportedFormat } from "./redis-error.js";
import { defineScripts, runScript } from "./redis-script.js";
import { factOf, formatLocation, type IndexName, indexNames, locationRowName, splitMember } from "./row-text.js";
import { factScripts } from "./scripts.js";

export interface RedisBounds {
  readonly maxAgeMs: number;
  readonly negativeMaxAgeMs: number;
  readonly maxFacts: number;
}

/** The version of the keys and values, in the marker. */
const formatVersion = "1";
/** Times that a transaction is repeated because others write the same rows; each time at least one of them succeeds. */
const maxTries = 100;
/** Rows that one script fetches, so that it does not block Redis. */
const rowsPerFetch = 1_000;

interface PendingFetch {
  readonly reads: readonly RowRead[];
  readonly resolve: (values: FetchedValue[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Stores facts in Redis. A transaction runs on the rows that it fetches, and its changes are one script, which Redis applies if the
 * rows have not changed.
 */
export class RedisStorage implements FactStorage {
  readonly mode = "persistent";
  readonly #connection: RedisConnection;
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #bounds: readonly string[];
  #pending: PendingFetch[] = [];
  /** The highest sequence that this client knows to be used. */
  #usedSequence = 0;

  /** @throws MOTE_UNREACHABLE · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_UNSUPPORTED_FORMAT */
  static async open(connection: RedisConnection, bounds: RedisBounds): Promise<RedisStorage> {
    const storage = new RedisStorage(connection, await connection.connect(), bounds);
    try {
      await storage.#checkFormat();
      return storage;
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  private constructor(connection: RedisConnection, client: RedisClient, bounds: RedisBounds) {
    this.#connection = connection;
    this.#client = client;
    this.#prefix = connection.prefix;
    const { maxAgeMs, negativeMaxAgeMs, maxFacts } = bounds;
    const age = (ms: number) => (Number.isFinite(ms) ? String(Math.max(1, Math.ceil(ms))) : "0");
    this.#bounds = [
      age(maxAgeMs),
      age(negativeMaxAgeMs),
      Number.isFinite(maxFacts) ? String(Math.floor(maxFacts)) : "-1",
    ];
    defineScripts(client, factScripts);
  }

  async read<Result>(query: (rows: FactReader) => Result): Promise<Result> {
    const rows = new FetchedRows();
    for (;;) {
      rows.begin();
      const result = query(rows);
      if (rows.missing.length === 0) return result;
      await this.#fetch(rows);
    }
  }

  async write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Promise<Result> {
    const rows = new FetchedRows(this.#usedSequence);
    for (let tries = 0; tries < maxTries; ) {
      rows.begin();
      const result = change(rows, rows.clock);
      if (rows.missing.length > 0) await this.#fetch(rows);
      else if (!rows.hasChanges || (await this.#commit(rows))) return result;
      else tries++;
    }
    throw new MoteError(
      "MOTE_IO",
      `${this.#connection.name}: too many concurrent writes of the same facts; retry later`,
    );
  }

  async recordLocations(facts: readonly LocationFact[]): Promise<void> {
    const first = nextSequence(this.#usedSequence, facts[0]?.lastSeenMs ?? 0);
    const reserved = await this.#recordFrom(first, facts);
    // Reserved sequences may be older than those that others have recorded meanwhile; the script compares each.
    if (typeof reserved === "string") await this.#recordFrom(Number(reserved), facts, "reserved");
  }

  async *chunks(size: number): AsyncGenerator<readonly BlobFact[]> {
    for (const index of indexNames) {
      let cursor = "0";
      do {
        const [next, found] = await this.#connection.call(() =>
          this.#client.zscan(this.#prefix + index, cursor, "COUNT", size),
        );
        cursor = next;
        const members = found.filter((_, at) => at % 2 === 0);
        const facts = await this.#facts(index, members);
        if (facts.length > 0) yield facts;
      } while (cursor !== "0");
    }
  }

  async counts(): Promise<FactCounts> {
    const [locations = 0, negativeRecords = 0, pairs = 0, transformers = 0] = await this.#connection.call(() =>
      Promise.all(indexNames.map((index) => this.#client.zcard(this.#prefix + index))),
    );
    return { locations, negativeRecords, pairs, transformers };
  }

  /** Returns 0: Redis does not say how much memory some of its keys take. */
  async sizeBytes(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    this.#client.disconnect();
  }

  async #checkFormat(): Promise<void> {
    const version = await this.#connection.call(() => this.#client.get(`${this.#prefix}format`));
    if (version !== null && version !== formatVersion) throw unsupportedFormat(this.#connection.name, version);
  }

  /** Fetches what the last call of the query missed. */
  async #fetch(rows: FetchedRows): Promise<void> {
    const reads = rows.missing;
    const values = await this.#values(reads);
    for (const [at, read] of reads.entries()) rows.add(read, values[at] ?? null);
  }

  /** Fetches rows. Those of all callers in one turn of the event loop are fetched together. */
  #values(reads: readonly RowRead[]): Promise<FetchedValue[]> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ reads, resolve, reject });
      if (this.#pending.length === 1) setImmediate(() => this.#sendPending());
    });
  }

  #sendPending(): void {
    const pending = this.#pending;
    this.#pending = [];
    let group: PendingFetch[] = [];
    let count = 0;
    for (const fetch of pending) {
      if (count > 0 && count + fetch.reads.length > rowsPerFetch) {
        void this.#send(group);
        group = [];
        count = 0;
      }
      group.push(fetch);
      count += fetch.reads.length;
    }
    void this.#send(group);
  }

  async #send(group: readonly PendingFetch[]): Promise<void> {
    try {
      const args = group.flatMap(({ reads }) => reads.flatMap(({ row, field }) => [row, field]));
      const values = (await this.#run("fetch", args)) as FetchedValue[];
      let at = 0;
      for (const { reads, resolve } of group) {
        resolve(values.slice(at, at + reads.length));
        at += reads.length;
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  /** Returns the first of other sequences, as a text, if these have been used. Nothing is recorded then. */
  #recordFrom(first: number, facts: readonly LocationFact[], areReserved: "reserved" | "" = ""): Promise<unknown> {
    const args = [formatVersion, String(first), areReserved, ...this.#bounds];
    let sequence = first;
    for (const { fact, transport, scope, digest, location, lastSeenMs } of facts) {
      const gone = fact === "absence";
      args.push(
        locationRowName({ transport, scope, digest }),
        JSON.stringify(location),
        formatLocation({ sequence: sequence++, lastSeenMs, gone }),
      );
    }
    // The next call, which need not wait for this one, takes later ones.
    this.#usedSequence = Math.max(this.#usedSequence, sequence - 1);
    return this.#run("record", args);
  }

  /** Returns false if Redis has not applied the changes, because they were made on wrong assumptions. `rows` are right then. */
  async #commit(rows: FetchedRows): Promise<boolean> {
    const { first, count, last, areReserved } = rows.sequences;
    const sequences = [areReserved ? "0" : String(first), String(last)];
    const settings = [formatVersion, ...sequences, ...this.#bounds, String(rows.changeCount)];
    const conflicts = await this.#run("commit", [...settings, ...rows.changeArguments()]);
    if (!Array.isArray(conflicts)) {
      rows.reserve(Number(await this.#run("reserve", [String(count), String(first)])));
      return false;
    }
    this.#usedSequence = Math.max(this.#usedSequence, last);
    rows.addConflicts(conflicts);
    return conflicts.length === 0;
  }

  async #facts(index: IndexName, members: readonly string[]): Promise<BlobFact[]> {
    if (members.length === 0) return [];
    const reads = members.map(splitMember);
    const values = await this.#values(reads);
    const facts: BlobFact[] = [];
    const absent: string[] = [];
    for (const [at, { row, field }] of reads.entries()) {
      const value = values[at];
      if (typeof value === "string") facts.push(factOf(row, field, value));
      else absent.push(members[at] ?? "");
    }
    if (absent.length > 0) await this.#run("drop", [index, ...absent]);
    return facts;
  }

  #run(name: string, args: readonly string[]): Promise<unknown> {
    return this.#connection.call(() => runScript(this.#client, name, [`${this.#prefix}format`, ...args]));
  }
}
