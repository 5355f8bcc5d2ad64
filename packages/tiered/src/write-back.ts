import {
  type Cancellable,
  type Digest,
  hasCode,
  isNotFound,
  type Logger,
  type Mote,
  type MoteCache,
  MoteError,
  type MoteInfo,
  untilAborted,
  writeMote,
} from "@mote/core";
import type { Far, FarTier } from "./far-tier.js";

/** Motes that wait to be written to the far tier at once. */
const maxWaiting = 100_000;
const concurrency = 4;
const maxAttempts = 3;
/** The slowest write that is waited for, in bytes per second. */
const minBytesPerSecond = 50_000;
/** How long a tier is only read that has refused to be written to. */
const readOnlyMs = 600_000;
/** Motes that were refused and are written when the tier accepts writes again. */
const maxRefused = 10_000;

/** What has been written to the far tier by this object. */
export interface WriteReport {
  readonly written: number;
  readonly writtenBytes: number;
  /** Motes that still wait. Those that the near cache remembers are written by the next process. */
  readonly waiting: number;
  /** Motes that are not written: too many were waiting, or the tier accepts no writes at present. */
  readonly dropped: number;
}

interface WaitingMote {
  readonly mote: Mote;
  readonly settled: Promise<void>;
  readonly settle: () => void;
  attempts: number;
  isActive: boolean;
  /** False if an earlier process has announced it, and may not have committed it. */
  readonly isCommitted: boolean;
}

/**
 * Writes motes of the near cache to the far tier in the background. What waits is a mote of the near cache, which remembers it beyond the
 * process if it has `waiting`.
 */
export class WriteBack {
  readonly #near: MoteCache;
  readonly #far: FarTier;
  readonly #logger: Logger;
  readonly #waiting = new Map<Digest, WaitingMote>();
  readonly #workers = new Set<Promise<void>>();
  #written = 0;
  #writtenBytes = 0;
  #dropped = 0;
  #lastError: unknown;
  readonly #now: () => number;
  #readOnlyUntilMs = Number.NEGATIVE_INFINITY;
  #hasWarned = false;
  /** Refused because the tier accepts no writes. Only this object remembers them, so that they do not fill the near cache for ever. */
  readonly #refused = new Map<Digest, Mote>();
  readonly #abort = new AbortController();
  readonly #minLimitMs: number;

  /** `timeoutMs`: how long the far tier may take to respond. `now`: milliseconds of a clock that never goes back. */
  constructor(
    near: MoteCache,
    far: FarTier,
    options: { readonly logger: Logger; readonly timeoutMs: number; readonly now: () => number },
  ) {
    this.#near = near;
    this.#far = far;
    this.#logger = options.logger;
    this.#now = options.now;
    this.#minLimitMs = 6 * options.timeoutMs;
  }

  /** Remembers a mote that is about to be committed, so that a process that dies afterwards does not lose it. */
  async announce(mote: Mote): Promise<void> {
    if (!this.isReadOnly && !this.#isFull(mote.digest)) await this.#near.waiting?.add(mote);
  }

  /** Takes back an announced mote that was not committed. */
  async retract(digest: Digest): Promise<void> {
    if (!this.#waiting.has(digest)) await this.#forget(digest);
  }

  /** Writes a committed mote in the background. */
  add(mote: Mote): void {
    this.#add(mote, true);
  }

  #add(mote: Mote, isCommitted: boolean): void {
    if (this.isReadOnly) return void this.#refuse(mote);
    if (this.#isFull(mote.digest)) {
      if (this.#dropped++ === 0)
        this.#logger.warn("too many motes wait for the tier; further ones are not written to it", { maxWaiting });
      return;
    }
    if (this.#waiting.has(mote.digest)) return;
    let settle = () => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    this.#waiting.set(mote.digest, { mote, settled, settle, attempts: 0, isActive: false, isCommitted });
    this.#work();
    if (this.#workers.size === 0) settle();
  }

  /** Continues with what earlier processes have left. */
  async resume(options: Cancellable = {}): Promise<void> {
    try {
      for await (const mote of this.#near.waiting?.list(options) ?? []) this.#add(mote, false);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#logger.warn("cannot list what waits for the tier", { error });
    }
  }

  /** Waits until the mote is written, or the far tier has failed. */
  async settled(digest: Digest): Promise<void> {
    await this.#waiting.get(digest)?.settled;
  }

  /** Waits until everything that waits now is written, or the far tier has failed. */
  async settledSoFar(): Promise<void> {
    await Promise.all([...this.#waiting.values()].map(({ settled }) => settled));
  }

  /** Whether the far tier has refused to be written to, and is not tried again yet. */
  get isReadOnly(): boolean {
    return this.#now() < this.#readOnlyUntilMs;
  }

  /** Waits until everything is written, or the far tier has failed. Then a warning says what waits. */
  async drain({ signal }: Cancellable = {}): Promise<WriteReport> {
    if (!this.isReadOnly) await this.#readmit();
    for (const waiting of this.#waiting.values()) waiting.attempts = 0;
    this.#work();
    while (this.#workers.size > 0) await untilAborted(Promise.all(this.#workers), signal);
    const { report } = this;
    if (report.waiting > 0) {
      const message = "not everything could be written to the tier; the rest waits in the cache for the next command";
      this.#logger.warn(message, { waiting: report.waiting, error: this.#lastError });
    }
    return report;
  }

  get report(): WriteReport {
    return {
      written: this.#written,
      writtenBytes: this.#writtenBytes,
      waiting: this.#waiting.size,
      dropped: this.#dropped + this.#refused.size,
    };
  }

  /** Aborts writes. What waits is written by the next process. */
  abort(): void {
    this.#abort.abort(new MoteError("MOTE_CLOSED", "the cache is closed"));
  }

  #isFull(digest: Digest): boolean {
    return this.#waiting.size >= maxWaiting && !this.#waiting.has(digest);
  }

  #work(): void {
    while (this.#workers.size < concurrency && this.#next() !== undefined) {
      const worker = this.#writeNext().finally(() => {
        this.#workers.delete(worker);
        // What cannot be written now is not waited for.
        if (this.#workers.size === 0) for (const { settle } of this.#waiting.values()) settle();
      });
      this.#workers.add(worker);
    }
  }

  #next(): WaitingMote | undefined {
    if (this.#abort.signal.aborted || this.#far.retryAfterMs > 0) return undefined;
    for (const waiting of this.#waiting.values()) {
      if (!waiting.isActive && waiting.attempts < maxAttempts) return waiting;
    }
    return undefined;
  }

  async #writeNext(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { digest } = next.mote;
      next.isActive = true;
      try {
        await this.#write(next);
        await this.#forget(digest);
        this.#waiting.delete(digest);
        next.settle();
      } catch (error) {
        if (hasCode(error, "MOTE_UNWRITABLE")) return this.#becomeReadOnly(error);
        next.attempts++;
        this.#lastError = error;
        // Behind the others, which may succeed.
        this.#waiting.delete(digest);
        this.#waiting.set(digest, next);
        if (next.attempts === maxAttempts) this.#logger.warn("cannot write to the tier", { digest, error });
      } finally {
        next.isActive = false;
      }
    }
  }

  /** Motes that a tier rejects because of missing permissions would otherwise wait forever, and fill the near cache. */
  #becomeReadOnly(error: unknown): void {
    if (!this.#hasWarned) this.#logger.warn("the tier is read-only; fetched content is not written to it", { error });
    this.#hasWarned = true;
    this.#readOnlyUntilMs = this.#now() + readOnlyMs;
    for (const [digest, { mote, settle }] of this.#waiting) {
      this.#waiting.delete(digest);
      this.#refuse(mote);
      settle();
    }
  }

  #refuse(mote: Mote): void {
    if (this.#refused.size < maxRefused || this.#refused.has(mote.digest)) this.#refused.set(mote.digest, mote);
    else this.#dropped++;
    const removal = this.#forget(mote.digest).finally(() => this.#workers.delete(removal));
    this.#workers.add(removal);
  }

  /** Writes what was refused, as the tier may accept writes again. */
  async #readmit(): Promise<void> {
    for (const [digest, mote] of [...this.#refused]) {
      this.#refused.delete(digest);
      await this.announce(mote);
      // The near cache may have removed it meanwhile.
      this.#add(mote, false);
    }
  }

  async #write({ mote, isCommitted }: WaitingMote): Promise<void> {
    const { signal } = this.#abort;
    const { digest } = mote;
    const info = await this.#near.find(digest, { signal });
    if (info === undefined) {
      if (isCommitted) this.#logger.warn("a mote was removed before it was written to the tier", { digest });
      return;
    }
    if ((await this.#far.find(digest, { signal, mediaType: mote.mediaType }))?.size === info.size) return;
    const limitMs = Math.max(this.#minLimitMs, (info.size / minBytesPerSecond) * 1000);
    await this.#far.request((far, limit) => this.#copy(far, { ...info, mediaType: mote.mediaType }, limit), {
      signal,
      limitMs,
    });
    this.#far.forget(digest);
    this.#written++;
    this.#writtenBytes += info.size;
    this.#hasWarned = false;
    await this.#readmit();
  }

  async #copy(far: Far, mote: MoteInfo, signal: AbortSignal): Promise<void> {
    // A file can be read again by a tier that has to repeat its request.
    if (far.commitMote !== undefined && this.#near.linkTo !== undefined) {
      try {
        await far.commitMote(this.#near.moteRef(mote.digest), mote, "copy", { signal });
        return;
      } catch (error) {
        // A cache in memory or in another process has no access to the file.
        if (!isNotFound(error)) throw error;
      }
    }
    await using reader = await this.#near.moteReader(mote.digest, { signal, countsAsUse: false });
    await writeMote(far as Required<Far>, mote, reader, { signal });
  }

  async #forget(digest: Digest): Promise<void> {
    try {
      await this.#near.waiting?.remove(digest);
    } catch (error) {
      this.#logger.warn("cannot remove a mote from the list of those that wait for the tier", { digest, error });
    }
  }
}
