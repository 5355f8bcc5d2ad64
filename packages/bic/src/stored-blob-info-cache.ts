import {
  type BlobInfoCache,
  type BlobInfoStatistics,
  type Cancellable,
  type CandidateOptions,
  type Digest,
  type ExpireOptions,
  type Logger,
  type MergeReport,
  MoteError,
  parseDigest,
  type ReplacementCandidate,
  silentLogger,
} from "@mote/core";
import { applyFact } from "./apply-fact.js";
import { type BlobFact, type LocationFact, nextSequence } from "./blob-fact.js";
import { checkBound, checkText } from "./check-arguments.js";
import { type ExpiringFacts, removeAged, removeOldest, totalFacts } from "./fact-expiry.js";
import { factHeader, formatFact, parseFacts } from "./fact-lines.js";
import type { FactStorage } from "./fact-storage.js";
import { findCandidates } from "./find-candidates.js";
import { type Change, type NewFact, RecordQueue } from "./record-queue.js";
import { StorageHandle, yieldToEventLoop } from "./storage-handle.js";

export interface BlobInfoCacheOptions {
  readonly logger?: Logger | undefined;
  /** Beyond this many facts, the oldest are removed in the background until 90 % are left. Default: unlimited. */
  readonly maxFacts?: number | undefined;
  /** Locations last seen longer ago than this are not candidates. Default: unlimited. */
  readonly maxAgeMs?: number | undefined;
  /** How long a negative record (that a blob no longer exists at a location) is valid. Default: one day. */
  readonly negativeMaxAgeMs?: number | undefined;
  /** Returns the time in Unix milliseconds. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

const dayMs = 24 * 60 * 60 * 1000;
const chunkSize = 250;

/**
 * Implements the rules of a blob-info cache over any `FactStorage`. Records made in one turn of the event loop share a transaction,
 * and their promises resolve when they are durable.
 */
export class StoredBlobInfoCache implements BlobInfoCache {
  readonly #storage: StorageHandle;
  readonly #logger: Logger;
  readonly #maxFacts: number;
  readonly #maxAgeMs: number;
  readonly #negativeMaxAgeMs: number;
  readonly #now: () => number;
  readonly #records: RecordQueue;

  #closing: Promise<void> | undefined;
  #expiring: Promise<void> | undefined;
  #lookups = 0;
  #hits = 0;

  /** `openStorage` is called at first use, and again after the storage was closed because it was damaged or idle. */
  constructor(openStorage: () => Promise<FactStorage>, options: BlobInfoCacheOptions = {}) {
    this.#logger = options.logger ?? silentLogger;
    this.#storage = new StorageHandle(openStorage, this.#logger);
    this.#maxFacts = checkBound("maxFacts", options.maxFacts);
    this.#maxAgeMs = checkBound("maxAgeMs", options.maxAgeMs);
    this.#negativeMaxAgeMs = checkBound("negativeMaxAgeMs", options.negativeMaxAgeMs ?? dayMs);
    this.#now = options.now ?? Date.now;
    this.#records = new RecordQueue(this.#storage, (change) => this.#write(change), {
      negativeMaxAgeMs: this.#negativeMaxAgeMs,
      onWritten: () => this.#expireWhenFull(),
    });
  }

  async open(options: Cancellable = {}): Promise<void> {
    this.#assertUsable(options);
    await this.#storage.open();
  }

  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async untransformedDigest(any: Digest, options: Cancellable = {}): Promise<Digest | undefined> {
    parseDigest(any);
    this.#assertUsable(options);
    return this.#storage.use((storage) => storage.read((rows) => rows.digestRow(any)?.pair?.untransformed));
  }

  async candidateLocations(
    transport: string,
    scope: string,
    digest: Digest,
    options: CandidateOptions,
  ): Promise<ReplacementCandidate[]> {
    const key = { transport: checkText(transport), scope: checkText(scope), digest: parseDigest(digest) };
    checkBound("max", options.max);
    this.#assertUsable(options);
    const oldestMs = this.#maxAgeMs === Number.POSITIVE_INFINITY ? 0 : this.#now() - this.#maxAgeMs;
    const found = await this.#storage.use((storage) =>
      storage.read((rows) => findCandidates(rows, key, options, oldestMs)),
    );
    this.#lookups++;
    if (found.length > 0) this.#hits++;
    return found;
  }

  async recordDigestUntransformedPair(any: Digest, untransformed: Digest, options: Cancellable = {}): Promise<void> {
    return this.#record(
      { fact: "pair", digest: parseDigest(any), untransformed: parseDigest(untransformed), ...this.#time() },
      options,
    );
  }

  async recordDigestTransformerName(any: Digest, transformerName: string, options: Cancellable = {}): Promise<void> {
    if (transformerName === "") throw new TypeError("the transformer name is empty");
    return this.#record(
      { fact: "transformer", digest: parseDigest(any), name: checkText(transformerName), ...this.#time() },
      options,
    );
  }

  async recordKnownLocation(
    transport: string,
    scope: string,
    digest: Digest,
    location: string,
    options: Cancellable = {},
  ): Promise<void> {
    return this.#record(this.#newLocation("location", transport, scope, digest, location), options);
  }

  async removeKnownLocation(
    transport: string,
    scope: string,
    digest: Digest,
    location: string,
    options: Cancellable = {},
  ): Promise<void> {
    return this.#record(this.#newLocation("absence", transport, scope, digest, location), options);
  }

  async *export(options: Cancellable = {}): AsyncGenerator<string, void, undefined> {
    this.#assertUsable(options);
    const release = this.#storage.keepOpen();
    try {
      const storage = await this.#storage.open();
      yield factHeader;
      for await (const chunk of storage.chunks(chunkSize)) {
        for (const fact of chunk) yield formatFact(fact);
        await yieldToEventLoop();
        this.#assertUsable(options);
      }
    } finally {
      release();
    }
  }

  async merge(text: AsyncIterable<string> | Iterable<string>, options: Cancellable = {}): Promise<MergeReport> {
    this.#assertUsable(options);
    const report = { facts: 0, changed: 0 };
    let batch: BlobFact[] = [];
    const flush = async () => {
      const facts = batch;
      batch = [];
      if (facts.length === 0) return;
      this.#assertUsable(options);
      report.facts += facts.length;
      report.changed += await this.#write((...transaction) => this.#merge(facts, ...transaction));
      this.#expireWhenFull();
      await yieldToEventLoop();
    };
    try {
      for await (const fact of parseFacts(text)) {
        batch.push(fact);
        if (batch.length >= chunkSize) await flush();
      }
    } finally {
      await flush();
    }
    return report;
  }

  async expire(options: ExpireOptions): Promise<number> {
    const maxAgeMs = checkBound("maxAgeMs", options.maxAgeMs);
    const maxFacts = checkBound("maxFacts", options.maxFacts);
    this.#assertUsable(options);
    const facts = this.#facts(options);
    const nowMs = this.#now();
    const bounds = { seenMs: nowMs - maxAgeMs, negativeMs: nowMs - this.#negativeMaxAgeMs };
    const remove = async () => {
      const aged = maxAgeMs === Number.POSITIVE_INFINITY ? 0 : await removeAged(facts, bounds);
      return aged + (await removeOldest(facts, maxFacts));
    };
    return await this.#storage.whileOpen(remove());
  }

  async statistics(options: Cancellable = {}): Promise<BlobInfoStatistics> {
    this.#assertUsable(options);
    return this.#storage.use(async (storage) => ({
      ...(await storage.counts()),
      sizeBytes: await storage.sizeBytes(),
      mode: storage.mode,
      lookups: this.#lookups,
      hits: this.#hits,
    }));
  }

  #assertUsable(options: Cancellable): void {
    options.signal?.throwIfAborted();
    if (this.#closing !== undefined) {
      throw new MoteError("MOTE_CLOSED", "the blob-info cache is closed; create another one");
    }
  }

  async #end(): Promise<void> {
    await this.#records.drained();
    await this.#expiring;
    await this.#storage.settled();
    await this.#storage.close();
  }

  // Logs the warnings of the last attempt only, because a storage may run a transaction more than once.
  async #write<Result>(change: Change<Result>): Promise<Result> {
    let warnings: Parameters<Logger["warn"]>[] = [];
    const result = await this.#storage.use((storage) =>
      storage.write((rows, clock) => {
        warnings = [];
        return change(rows, clock, (...warning) => warnings.push(warning));
      }),
    );
    for (const warning of warnings) this.#logger.warn(...warning);
    return result;
  }

  #record(fact: NewFact, { signal }: Cancellable): Promise<void> {
    this.#assertUsable({ signal });
    return this.#records.add(fact, signal);
  }

  #time(): Pick<NewFact, "sequence" | "lastSeenMs"> {
    return { sequence: 0, lastSeenMs: this.#now() };
  }

  /** Spreading would cost a third of a batch. */
  #newLocation(
    fact: LocationFact["fact"],
    transport: string,
    scope: string,
    digest: Digest,
    location: string,
  ): LocationFact & NewFact {
    return {
      fact,
      transport: checkText(transport),
      scope: checkText(scope),
      digest: parseDigest(digest),
      location: checkText(location),
      sequence: 0,
      lastSeenMs: this.#now(),
    };
  }

  #merge(facts: readonly BlobFact[], ...[rows, clock, warn]: Parameters<Change<number>>): number {
    const nowMs = this.#now();
    const latest = { sequence: nextSequence(0, nowMs + dayMs), lastSeenMs: nowMs + dayMs };
    let changed = 0;
    for (const fact of facts) {
      // Otherwise the facts of a machine whose clock is far ahead would take precedence for ever.
      const sequence = Math.min(fact.sequence, latest.sequence);
      const lastSeenMs = Math.min(fact.lastSeenMs, latest.lastSeenMs);
      clock.reserve(sequence);
      const options = { warn, oldestNegativeMs: nowMs - this.#negativeMaxAgeMs };
      if (applyFact(rows, { ...fact, sequence, lastSeenMs }, options)) changed++;
    }
    return changed;
  }

  #expireWhenFull(): void {
    if (this.#maxFacts === Number.POSITIVE_INFINITY || this.#expiring !== undefined) return;
    this.#expiring = this.#storage
      .whileOpen(this.#expireOldest())
      .catch((cause) => {
        if (this.#closing === undefined) this.#logger.warn("cannot remove the oldest facts", { cause });
      })
      .finally(() => {
        this.#expiring = undefined;
      });
  }

  async #expireOldest(): Promise<void> {
    const storage = await this.#storage.open();
    if (totalFacts(await storage.counts()) <= this.#maxFacts) return;
    const removed = await removeOldest(this.#facts({}), Math.floor(this.#maxFacts * 0.9));
    this.#logger.debug("removed the oldest facts", { removed });
  }

  // Expiry is aborted when the cache is closed.
  #facts(options: Cancellable): ExpiringFacts {
    return {
      open: () => this.#storage.open(),
      write: (change) => this.#write(change),
      checkpoint: async () => {
        await yieldToEventLoop();
        this.#assertUsable(options);
      },
    };
  }
}
