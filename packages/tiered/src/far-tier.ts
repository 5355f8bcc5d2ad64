import {
  BoundedMap,
  type Cancellable,
  CircuitBreaker,
  type Digest,
  hasCode,
  inTime,
  isMismatch,
  isNotFound,
  isTruncated,
  type Logger,
  type MoteCache,
  MoteError,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteSource,
  type MoteStore,
  messageOf,
  type ReadOptions,
  untilAborted,
} from "@mote/core";
import { chunksInTime } from "./time-limit.js";

/** A far tier: a source of motes, which may also be written to. */
export type Far = MoteSource & Partial<MoteStore> & Pick<MoteCache, "tags" | "verifyMote" | "existing">;

export interface FarTierOptions {
  readonly logger: Logger;
  /** Milliseconds to wait for a response, and for each chunk of a body. */
  readonly timeoutMs: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** How long a tier may take to respond for the first time, and again after it has failed. */
const firstAnswerMs = 3_000;
/** How long a tier that did not respond at first gets no requests. */
const unreachablePauseMs = 60_000;
/** How long an answer about existence is used again. */
const answerMs = 10_000;
const maxAnswers = 20_000;
/** Concurrent look-ups: 200 take two round trips, unless the tier looks up many at once. */
const maxLookUps = 100;
/** Motes that a tier looks up at once. */
const maxBulk = 1_000;

interface Answer {
  /** Undefined: the tier does not have it. */
  readonly size: number | undefined;
  /** Undefined if many were looked up at once. */
  readonly mediaType: string | undefined;
  readonly untilMs: number;
}

/** Sends requests to the far tier, within time limits, and none for a while after it has failed. */
export class FarTier {
  readonly far: Far;
  readonly #logger: Logger;
  readonly #timeoutMs: number;
  readonly #breaker: CircuitBreaker;
  readonly #answers = new BoundedMap<Digest, Answer>(maxAnswers);
  readonly #lookUps = new Map<Digest, Promise<MoteInfo | undefined>>();
  readonly #queue: (() => void)[] = [];
  #active = 0;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  /** Whether its last requests were answered. One that was not reached costs a short wait once, not one for each mote. */
  #isReached = false;
  #hasWarned = false;

  constructor(far: Far, { logger, timeoutMs, now }: FarTierOptions) {
    this.#breaker = new CircuitBreaker(now);
    this.far = far;
    this.#logger = logger;
    this.#timeoutMs = timeoutMs;
  }

  /** Milliseconds until the next request to the tier; 0 if it is available. */
  get retryAfterMs(): number {
    return this.#breaker.retryAfterMs;
  }

  /** Returns what the tier has. A tier that fails has nothing, and is reported by a warning. `mediaType`: that of the mote, if it is known. */
  async find(
    digest: Digest,
    { signal, mediaType }: Cancellable & { readonly mediaType?: string | undefined } = {},
  ): Promise<MoteInfo | undefined> {
    const known = this.#known(digest);
    if (known !== undefined) {
      const { size, mediaType: type = mediaType } = known;
      if (size === undefined) return undefined;
      if (type !== undefined) return { digest, size, mediaType: type };
    }
    return untilAborted(this.#lookUps.get(digest) ?? this.#startLookUp(digest), signal);
  }

  /** Returns whether the tier has the mote. One that fails has nothing. */
  async has(digest: Digest, options?: Cancellable): Promise<boolean> {
    const known = this.#known(digest) ?? (await this.find(digest, options));
    return known?.size !== undefined;
  }

  /** Returns those of the motes that the tier has, and their sizes in bytes. One that fails has nothing. */
  async existing(digests: readonly Digest[], options: Cancellable = {}): Promise<ReadonlyMap<Digest, number>> {
    const sizes = new Map<Digest, number>();
    const add = (digest: Digest, size: number | undefined) => void (size !== undefined && sizes.set(digest, size));
    const unknown: Digest[] = [];
    for (const digest of digests) {
      const known = this.#known(digest);
      if (known === undefined) unknown.push(digest);
      else add(digest, known.size);
    }
    if (this.far.existing === undefined || unknown.length < 2) {
      await Promise.all(unknown.map(async (digest) => add(digest, (await this.find(digest, options))?.size)));
      return sizes;
    }
    try {
      // To open the tier has a time limit of its own.
      if (!this.#isOpen) await this.request(async () => {}, options);
      for (let at = 0; at < unknown.length; at += maxBulk) {
        const some = unknown.slice(at, at + maxBulk);
        const found = await this.request(async (far, signal) => {
          const existing = await far.existing?.(some, { signal });
          return some.map((digest) => [digest, existing?.get(digest)] as const).filter(([, size]) => isSize(size));
        }, options);
        for (const [digest, size] of found) {
          this.#record(digest, size === undefined ? undefined : { size });
          add(digest, size);
        }
      }
    } catch {
      // The warning has been logged.
      options.signal?.throwIfAborted();
    }
    return sizes;
  }

  /** Stops requesting a mote from the tier for a while. */
  exclude(digest: Digest): void {
    this.#record(digest, undefined);
  }

  /** Sends a request to the tier again at the next look-up. */
  forget(digest: Digest): void {
    this.#answers.delete(digest);
  }

  /** Opens a reader, whose chunks must arrive in time. @throws MOTE_NOT_FOUND · MOTE_UNREACHABLE · what the tier throws */
  async read(digest: Digest, options: ReadOptions): Promise<MoteReader> {
    const reader = await this.request((far, signal) => far.moteReader(digest, { ...options, signal }), options);
    const chunks = () =>
      chunksInTime(reader, { ms: this.#timeoutMs, signal: options.signal, late: () => this.#late() });
    const failed = (error: unknown) => this.#ended(error, options.signal);
    const close = () => this.#close(reader);
    return {
      info: reader.info,
      close,
      [Symbol.asyncDispose]: close,
      async *[Symbol.asyncIterator]() {
        try {
          yield* chunks();
        } catch (error) {
          failed(error);
          throw error;
        }
      },
    };
  }

  /** Reads at positions. @throws as `read` */
  async readAt(digest: Digest, { signal }: Cancellable): Promise<MoteReaderAt> {
    const reader = await this.request((far, limit) => far.moteReaderAt(digest, { signal: limit }), { signal });
    return {
      size: reader.size,
      readAt: (into, position, options = {}) =>
        this.request((_, limit) => reader.readAt(into, position, { signal: limit }), options),
      close: () => this.#close(reader),
      [Symbol.asyncDispose]: () => this.#close(reader),
    };
  }

  /**
   * Sends a request, unless the tier has failed lately. `limitMs`: how long it may take.
   * @throws MOTE_UNREACHABLE · what the tier throws
   */
  async request<Result>(
    send: (far: Far, signal: AbortSignal) => Promise<Result>,
    { signal, limitMs }: Cancellable & { readonly limitMs?: number } = {},
  ): Promise<Result> {
    signal?.throwIfAborted();
    if (!this.#breaker.tryRequest()) throw this.#notAsked();
    const opened = async (limit: AbortSignal) => {
      await this.#open();
      return send(this.far, limit);
    };
    const ms = limitMs ?? (this.#isReached ? this.#timeoutMs : Math.min(this.#timeoutMs, firstAnswerMs));
    try {
      const result = await inTime(opened, { ms, signal, late: () => this.#late(ms) });
      this.#answered();
      this.#hasWarned = false;
      return result;
    } catch (error) {
      this.#ended(error, signal);
      throw error;
    }
  }

  #startLookUp(digest: Digest): Promise<MoteInfo | undefined> {
    const lookUp = this.#lookUp(digest).finally(() => this.#lookUps.delete(digest));
    this.#lookUps.set(digest, lookUp);
    return lookUp;
  }

  async #lookUp(digest: Digest): Promise<MoteInfo | undefined> {
    await this.#acquire();
    try {
      const info = await this.request(async (far, signal) => checkInfo(digest, await far.find(digest, { signal })));
      this.#record(digest, info);
      return info;
    } catch {
      // The warning has been logged.
      return undefined;
    } finally {
      this.#release();
    }
  }

  #known(digest: Digest): Answer | undefined {
    const known = this.#answers.get(digest);
    return known !== undefined && performance.now() < known.untilMs ? known : undefined;
  }

  #record(digest: Digest, info: { readonly size: number; readonly mediaType?: string } | undefined): void {
    this.#answers.set(digest, { size: info?.size, mediaType: info?.mediaType, untilMs: performance.now() + answerMs });
  }

  async #acquire(): Promise<void> {
    if (this.#active >= maxLookUps) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#active++;
  }

  #release(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#active--;
    else next();
  }

  async #open(): Promise<void> {
    if (this.#isOpen) return;
    this.#opening ??= (async () => this.far.initialize?.())();
    await this.#opening;
    this.#isOpen = true;
  }

  /** A reader that hangs is not waited for, and the bytes are verified already. */
  async #close(reader: { close(): Promise<void> }): Promise<void> {
    const limit = { ms: this.#timeoutMs, signal: undefined, late: () => this.#late() };
    await inTime(() => reader.close(), limit).catch(() => {});
  }

  #ended(error: unknown, signal: AbortSignal | undefined): void {
    // The next request opens it again.
    if (!this.#isOpen) this.#opening = undefined;
    if (signal?.aborted) this.#breaker.abandoned();
    else if (isAnswer(error)) this.#answered();
    else {
      this.#breaker.failed(this.#isReached ? 0 : unreachablePauseMs);
      if (this.#breaker.state !== "closed") this.#isReached = false;
      if (!this.#hasWarned)
        this.#logger.warn(`the tier has failed; continuing without it: ${messageOf(error)}`, { error });
      this.#hasWarned = true;
    }
  }

  #answered(): void {
    this.#breaker.succeeded();
    this.#isReached = true;
  }

  #late(ms = this.#timeoutMs): MoteError {
    return new MoteError("MOTE_TIMEOUT", `the tier did not respond within ${ms} ms; check that it is reachable`);
  }

  #notAsked(): MoteError {
    const retryAfterMs = Math.ceil(this.#breaker.retryAfterMs);
    return new MoteError("MOTE_UNREACHABLE", `the tier has failed; the next request is in ${retryAfterMs} ms`, {
      details: { retryAfterMs },
    });
  }
}

/** Returns the size and media type that a tier has told. @throws MOTE_CORRUPT if the size is not valid */
function checkInfo(digest: Digest, info: MoteInfo | undefined): MoteInfo | undefined {
  if (info === undefined) return undefined;
  return { digest, size: checkSize(digest, info.size), mediaType: String(info.mediaType) };
}

/** Also of a mote that does not exist. */
function isSize(size: number | undefined): boolean {
  return size === undefined || (Number.isSafeInteger(size) && size >= 0);
}

function checkSize(digest: Digest, size: number): number {
  if (isSize(size)) return size;
  throw new MoteError("MOTE_CORRUPT", `the tier reports a wrong size of ${digest}: ${size} bytes`, {
    details: { digest },
  });
}

/** Returns whether the tier works, although it does not have the content, or has other bytes. */
function isAnswer(error: unknown): boolean {
  // A TypeError is the mistake of the caller, such as a range that is not valid. What cannot be written to may be read.
  return (
    isNotFound(error) ||
    error instanceof TypeError ||
    areWrongBytes(error) ||
    hasCode(error, "MOTE_UNWRITABLE", "MOTE_NO_SPACE")
  );
}

/** Returns whether the tier has sent other bytes than those of the digest. */
export function areWrongBytes(error: unknown): boolean {
  return hasCode(error, "MOTE_CORRUPT") || (isMismatch(error) && !isTruncated(error));
}
