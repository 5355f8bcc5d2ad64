import { setTimeout as delay } from "node:timers/promises";
import {
  BoundedMap,
  type Cancellable,
  type Descriptor,
  type Freshness,
  inTime,
  isNotFound,
  type Logger,
  MoteError,
  messageOf,
  type NameCheck,
  untilAborted,
} from "@mote/core";
import { isAnswer } from "./upstream.js";

export interface TagChecksOptions {
  readonly freshness: Freshness;
  /** Milliseconds for which a check counts. */
  readonly freshMs: number;
  /** Whether upstreams are never asked. */
  readonly offline: boolean;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly logger: Logger;
}

export interface CheckedTag {
  readonly descriptor: Descriptor;
  /** Whether the upstream was not requested, or for another caller. */
  readonly isHit: boolean;
  readonly staleReason?: string | undefined;
}

/** Milliseconds that clients wait for an upstream if an older answer is stored. */
const maxWaitMs = 2_000;
/** Milliseconds for which a negative answer counts, at most. */
const maxNegativeMs = 10_000;
const maxNegatives = 10_000;
/** Milliseconds for which a check is not read again, which another process may have renewed. */
const maxMemoryMs = 1_000;
const maxRemembered = 10_000;
/** Milliseconds between two looks at whether another process has recorded its check. */
const pollMs = 20;

interface Negative {
  readonly error: unknown;
  readonly untilMs: number;
}

interface RememberedCheck {
  readonly check: NameCheck | undefined;
  readonly readMs: number;
}

interface Check {
  /** The older answer. */
  readonly stored: Descriptor | undefined;
  /** What the upstream answers. Undefined if it need not be asked. */
  readonly answer: Promise<Descriptor> | undefined;
  /** When the upstream was asked, by `performance.now()`. */
  readonly askedMs: number;
}

interface ResolveTagOptions extends Cancellable {
  /** Asks the upstream. */
  readonly ask: () => Promise<Descriptor>;
  /** Whether the manifest of an older answer is stored. */
  readonly isStored: (descriptor: Descriptor) => Promise<boolean>;
}

/** Decides when an upstream is asked what a tag means. All who wait for one tag share one request. */
export class TagChecks {
  readonly #options: TagChecksOptions;
  readonly #running = new Map<string, Promise<Check>>();
  readonly #negatives = new BoundedMap<string, Negative>(maxNegatives);
  readonly #remembered = new BoundedMap<string, RememberedCheck>(maxRemembered);

  constructor(options: TagChecksOptions) {
    this.#options = options;
  }

  /**
   * `name`: the tag's full name. The manifest of a fresh answer may be missing, in the cache and, since the tag may have moved, upstream.
   *
   * @throws MOTE_NOT_FOUND · what `ask` throws, if no older answer is stored
   */
  async resolve(name: string, options: ResolveTagOptions): Promise<CheckedTag> {
    const { signal } = options;
    const shared = this.#running.get(name);
    const isHit = shared !== undefined;
    const { stored, answer, askedMs } = await untilAborted(shared ?? this.#start(name, options), signal);
    if (answer === undefined) {
      if (stored === undefined) throw notStored(name);
      return { descriptor: stored, isHit: true };
    }
    if (stored === undefined) return { descriptor: await untilAborted(answer, signal), isHit };
    const ms = Math.max(0, askedMs + maxWaitMs - performance.now());
    const late = () => new Error(`the upstream has not answered within ${maxWaitMs / 1000} s`);
    try {
      return { descriptor: await inTime(() => answer, { ms, signal, late }), isHit };
    } catch (error) {
      signal?.throwIfAborted();
      if (isAnswer(error)) throw error;
      return { descriptor: stored, isHit: true, staleReason: messageOf(error) };
    }
  }

  /** Asks the upstream, however fresh the stored answer is. @throws MOTE_NOT_FOUND · what `ask` throws */
  refresh(name: string, { ask, signal }: Omit<ResolveTagOptions, "isStored">): Promise<Descriptor> {
    return untilAborted(this.#ask(name, ask), signal);
  }

  #start(name: string, options: ResolveTagOptions): Promise<Check> {
    const running = this.#begin(name, options);
    this.#running.set(name, running);
    const end = () => this.#running.delete(name);
    running.then(({ answer }) => answer).then(end, end);
    return running;
  }

  async #begin(name: string, { ask, isStored }: ResolveTagOptions): Promise<Check> {
    const { offline } = this.#options;
    const check = await this.#find(name);
    // What is fresh need not be stored: another request may be fetching it.
    const isFresh = this.#isFresh(check) && !offline;
    const stored = check !== undefined && (isFresh || (await isStored(check))) ? descriptorOf(check) : undefined;
    if (offline || isFresh) return { stored, answer: undefined, askedMs: 0 };
    const negative = this.#negative(name);
    if (negative !== undefined) throw negative.error;
    const answer = this.#askOnce(name, ask);
    answer.catch(() => {});
    return { stored, answer, askedMs: performance.now() };
  }

  /** As `#ask`, but if another process asks now, what that one records is the answer. */
  async #askOnce(name: string, ask: () => Promise<Descriptor>): Promise<Descriptor> {
    const { freshness, freshMs, now } = this.#options;
    if (freshness.begin === undefined) return this.#ask(name, ask);
    const startedMs = now();
    let end: (() => void) | undefined;
    try {
      for (const untilMs = performance.now() + maxWaitMs; performance.now() < untilMs; await delay(pollMs)) {
        end = await freshness.begin(name);
        // Even if this one is to ask: the other may have recorded its answer since the last look.
        const check = await freshness.find(name);
        if (this.#isFresh(check, Math.max(freshMs, now() - startedMs + 1))) return descriptorOf(check);
        if (end !== undefined) break;
      }
      return await this.#ask(name, ask);
    } finally {
      end?.();
      this.#remembered.delete(name);
    }
  }

  async #ask(name: string, ask: () => Promise<Descriptor>): Promise<Descriptor> {
    const { freshness, now, logger } = this.#options;
    let record: Promise<void> | undefined;
    try {
      const descriptor = descriptorOf(await ask());
      this.#negatives.delete(name);
      record = freshness.record(name, { ...descriptor, checkedMs: now() });
      return descriptor;
    } catch (error) {
      if (isAnswer(error)) this.#remember(name, error);
      if (isNotFound(error)) record = freshness.remove(name);
      throw error;
    } finally {
      await record?.catch((error) => logger.debug("cannot record when a tag was checked", { name, error }));
      this.#remembered.delete(name);
    }
  }

  #isFresh(check: NameCheck | undefined, maxAgeMs = this.#options.freshMs): check is NameCheck {
    const ageMs = check === undefined ? Number.POSITIVE_INFINITY : this.#options.now() - check.checkedMs;
    // A check of the future was made by a clock that was wrong.
    return ageMs >= 0 && ageMs < maxAgeMs;
  }

  async #find(name: string): Promise<NameCheck | undefined> {
    const remembered = this.#remembered.get(name);
    if (remembered !== undefined && performance.now() - remembered.readMs < maxMemoryMs) return remembered.check;
    const check = await this.#options.freshness.find(name);
    this.#remembered.set(name, { check, readMs: performance.now() });
    return check;
  }

  #negative(name: string): Negative | undefined {
    const negative = this.#negatives.get(name);
    return negative !== undefined && this.#options.now() < negative.untilMs ? negative : undefined;
  }

  #remember(name: string, error: unknown): void {
    const { freshMs, now } = this.#options;
    this.#negatives.set(name, { error, untilMs: now() + Math.min(freshMs, maxNegativeMs) });
  }
}

function descriptorOf({ digest, mediaType, size }: Descriptor): Descriptor {
  return { digest, mediaType, size };
}

function notStored(name: string): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `${name} is not stored, and upstreams are not contacted (offline)`, {
    details: { name },
  });
}
