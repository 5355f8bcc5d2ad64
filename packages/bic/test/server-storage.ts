import type { Digest } from "@mote/core";
import {
  type BlobFact,
  type DigestRow,
  type FactCounts,
  type FactReader,
  type FactRows,
  type FactStorage,
  type LocationChange,
  type LocationRecord,
  MemoryStorage,
  type ScopedDigest,
  type SequenceClock,
} from "../src/index.js";

/** A server that stores facts for several clients. Each message takes at least one turn of the event loop, and may fail. */
export class FactServer {
  readonly #stored = new MemoryStorage();
  /** Called for each message. An error that it throws is the client's. */
  onMessage: () => Promise<void> = async () => {};
  messages = 0;

  /** Runs `command` atomically on the server, as a Redis script does. */
  async send<Result>(command: (rows: FactRows, clock: SequenceClock) => Result): Promise<Result> {
    this.messages++;
    await new Promise((resolve) => setImmediate(resolve));
    await this.onMessage();
    const result = this.#stored.write(command);
    await new Promise((resolve) => setImmediate(resolve));
    return result;
  }

  facts(size: number): readonly (readonly BlobFact[])[] {
    return [...this.#stored.chunks(size)];
  }

  counts(): FactCounts {
    return { ...this.#stored.counts() };
  }
}

/** A storage that fetches the rows that a transaction reads in batches, and sends its changes as one message. */
export class ServerStorage implements FactStorage {
  readonly mode = "persistent";
  readonly #server: FactServer;
  readonly idleMs?: number;
  isClosed = false;

  constructor(server: FactServer, { idleMs }: { readonly idleMs?: number } = {}) {
    this.#server = server;
    if (idleMs !== undefined) this.idleMs = idleMs;
  }

  async read<Result>(query: (rows: FactReader) => Result): Promise<Result> {
    const rows = new FetchedRows();
    for (;;) {
      const result = query(rows);
      if (rows.missing.length === 0) return result;
      await this.#fetch(rows);
    }
  }

  async write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Promise<Result> {
    let rows = new FetchedRows();
    for (;;) {
      rows.begin();
      const result = change(rows, rows.clock);
      if (rows.missing.length > 0) await this.#fetch(rows);
      else if (await this.#commit(rows)) return result;
      else rows = new FetchedRows();
    }
  }

  async *chunks(size: number): AsyncGenerator<readonly BlobFact[]> {
    for (const chunk of await this.#server.send(() => this.#server.facts(size))) {
      await this.#server.send(() => undefined);
      yield chunk;
    }
  }

  counts(): Promise<FactCounts> {
    return this.#server.send(() => this.#server.counts());
  }

  sizeBytes(): Promise<number> {
    return this.#server.send(() => 0);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** Fetches all missing rows, and the sequences that the transaction needs, in one round trip. */
  async #fetch(rows: FetchedRows): Promise<void> {
    const reads = rows.missing.splice(0);
    const { missingSequences, nowMs } = rows;
    const { found, sequences } = await this.#send((stored, clock) => ({
      found: reads.map(({ read }) => read(stored)),
      sequences: Array.from({ length: missingSequences }, () => clock.next(nowMs)),
    }));
    for (const [at, { key }] of reads.entries()) rows.fetched.set(key, found[at]);
    rows.sequences.push(...sequences);
  }

  /** Returns false if a row has changed since it was fetched. */
  #commit({ changes, reserved }: FetchedRows): Promise<boolean> {
    return this.#send((stored, clock) => {
      if (!changes.every(({ isUnchanged }) => isUnchanged(stored))) return false;
      for (const { apply } of changes) apply(stored);
      clock.reserve(reserved);
      return true;
    });
  }

  #send<Result>(command: (rows: FactRows, clock: SequenceClock) => Result): Promise<Result> {
    if (this.isClosed) throw new Error("the storage is closed");
    return this.#server.send(command);
  }
}

interface RowRead {
  readonly key: string;
  read(stored: FactReader): unknown;
}

interface RowChange {
  isUnchanged(stored: FactReader): boolean;
  apply(stored: FactRows): void;
}

/** The rows that were fetched for a transaction, and its changes. */
class FetchedRows implements FactRows {
  readonly fetched = new Map<string, unknown>();
  readonly missing: RowRead[] = [];
  readonly sequences: number[] = [];
  changes: RowChange[] = [];
  /** Sequences that the last call needed and that had not been fetched. */
  missingSequences = 0;
  nowMs = 0;
  reserved = 0;
  #changed = new Map<string, unknown>();
  #taken = 0;

  /** Discards the changes of the last call of the transaction. */
  begin(): void {
    this.changes = [];
    this.#changed = new Map();
    this.#taken = 0;
    this.missingSequences = 0;
    this.reserved = 0;
  }

  readonly clock: SequenceClock = {
    next: (nowMs) => {
      this.nowMs = Math.max(this.nowMs, nowMs);
      const sequence = this.sequences[this.#taken++];
      if (sequence !== undefined) return sequence;
      this.missingSequences++;
      if (this.missingSequences === 1) this.missing.push({ key: "sequences", read: () => undefined });
      return 0;
    },
    reserve: (sequence) => {
      this.reserved = Math.max(this.reserved, sequence);
    },
  };

  digestRow(digest: Digest): DigestRow | undefined {
    return this.#row(`digest ${digest}`, (stored) => stored.digestRow(digest));
  }

  forms(untransformed: Digest): Iterable<Digest> {
    return this.#row(`forms ${untransformed}`, (stored) => [...stored.forms(untransformed)]) ?? [];
  }

  locationRecords(key: ScopedDigest): Iterable<LocationRecord> {
    return this.#row(rowKey(key), (stored) => [...stored.locationRecords(key)]) ?? [];
  }

  updateDigestRow(digest: Digest, change: (row: DigestRow) => DigestRow): void {
    const key = `digest ${digest}`;
    const before = this.digestRow(digest) ?? {};
    const after = change(before);
    if (after === before) return;
    this.#changed.set(key, after);
    const fetched = this.fetched.get(key);
    this.changes.push({
      isUnchanged: (stored) => stored.digestRow(digest) === fetched,
      apply: (stored) => stored.updateDigestRow(digest, () => after),
    });
  }

  addForm(untransformed: Digest, form: Digest): void {
    this.changes.push({ isUnchanged: () => true, apply: (stored) => stored.addForm(untransformed, form) });
  }

  removeForm(untransformed: Digest, form: Digest): void {
    this.changes.push({ isUnchanged: () => true, apply: (stored) => stored.removeForm(untransformed, form) });
  }

  updateLocationRecord(key: ScopedDigest, location: string, change: LocationChange): void {
    const find = (rows: FactReader) => [...rows.locationRecords(key)].find((each) => each.location === location);
    const recordKey = `${rowKey(key)} ${JSON.stringify(location)}`;
    const before = this.#row(recordKey, find);
    const after = change(before);
    if (after === before) return;
    this.#changed.set(recordKey, after);
    const fetched = this.fetched.get(recordKey);
    this.changes.push({
      isUnchanged: (stored) => find(stored) === fetched,
      apply: (stored) => stored.updateLocationRecord(key, location, () => after),
    });
  }

  #row<Row>(key: string, read: (stored: FactReader) => Row): Row | undefined {
    if (this.#changed.has(key)) return this.#changed.get(key) as Row;
    if (this.fetched.has(key)) return this.fetched.get(key) as Row;
    this.missing.push({ key, read });
    return undefined;
  }
}

function rowKey({ transport, scope, digest }: ScopedDigest): string {
  return JSON.stringify([transport, scope, digest]);
}
