import {
  BoundedMap,
  type Cancellable,
  type Descriptor,
  type Freshness,
  isNotFound,
  type Logger,
  MoteError,
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
  /** Whether no upstream was asked. */
  readonly isHit: boolean;
  readonly staleReason?: string | undefined;
}

/** Milliseconds that clients wait for an upstream if an older answer is stored. */
const maxWaitMs = 2_000;
/** Milliseconds for which a negative answer counts, at most. */
const maxNegativeMs = 10_000;
const maxNegatives = 10_000;

interface Negative {
  readonly error: unknown;
  readonly untilMs: number;
}

interface Check {
  /** The older answer. */
  readonly stored: Descriptor | undefined;
  /** What the upstream answers. Undefined if it need not be asked. */
  readonly answer: Promise<Descriptor> | undefined;
}

interface ResolveTagOptions extends Cancellable {
  /** Asks the upstream. */
  readonly ask: () => Promise<Descriptor>;
  /** Whether the manifest of an older answer can still be served. */
  readonly isStored: (descriptor: Descriptor) => Promise<boolean>;
}

/** Decides when an upstream is asked what a tag means. All who wait for one tag share one request. */
export class TagChecks {
  readonly #options: TagChecksOptions;
  readonly #running = new Map<string, Promise<Check>>();
  readonly #negatives = new BoundedMap<string, Negative>(maxNegatives);

  constructor(options: TagChecksOptions) {
    this.#options = options;
  }

  /**
   * `name`: the tag's full name.
   *
   * @throws MOTE_NOT_FOUND · what `ask` throws, if no older answer is stored
   */
  async resolve(name: string, options: ResolveTagOptions): Promise<CheckedTag> {
    const { signal } = options;
    const running = this.#running.get(name) ?? this.#start(name, options);
    const { stored, answer } = await untilAborted(running, signal);
    if (answer === undefined) {
      if (stored === undefined) throw notStored(name);
      return { descriptor: stored, isHit: true };
    }
    if (stored === undefined) return { descriptor: await untilAborted(answer, signal), isHit: false };
    try {
      return { descriptor: await withinBound(answer, signal), isHit: false };
    } catch (error) {
      signal?.throwIfAborted();
      if (isAnswer(error)) throw error;
      return { descriptor: stored, isHit: true, staleReason: reasonOf(error) };
    }
  }

  #start(name: string, options: ResolveTagOptions): Promise<Check> {
    const running = this.#begin(name, options);
    this.#running.set(name, running);
    const end = () => this.#running.delete(name);
    running.then(({ answer }) => answer).then(end, end);
    return running;
  }

  async #begin(name: string, { ask, isStored }: ResolveTagOptions): Promise<Check> {
    const { freshness, freshMs, offline, now } = this.#options;
    const check = await freshness.find(name);
    const stored = check !== undefined && (await isStored(check)) ? descriptorOf(check) : undefined;
    const ageMs = check === undefined ? Number.POSITIVE_INFINITY : now() - check.checkedMs;
    // A check of the future was made by a clock that was wrong.
    const isFresh = stored !== undefined && ageMs >= 0 && ageMs < freshMs;
    if (offline || isFresh) return { stored, answer: undefined };
    const negative = this.#negative(name);
    if (negative !== undefined) throw negative.error;
    const answer = this.#ask(name, ask);
    answer.catch(() => {});
    return { stored, answer };
  }

  async #ask(name: string, ask: () => Promise<Descriptor>): Promise<Descriptor> {
    const { freshness, now, logger } = this.#options;
    let record: Promise<void> | undefined;
    try {
      const descriptor = descriptorOf(await ask());
      record = freshness.record(name, { ...descriptor, checkedMs: now() });
      return descriptor;
    } catch (error) {
      if (isAnswer(error)) this.#remember(name, error);
      if (isNotFound(error)) record = freshness.remove(name);
      throw error;
    } finally {
      await record?.catch((error) => logger.debug("cannot record when a tag was checked", { name, error }));
    }
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

class SlowUpstreamError extends Error {}

async function withinBound<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  const slow = new AbortController();
  const timer = setTimeout(
    () => slow.abort(new SlowUpstreamError(`the upstream has not answered within ${maxWaitMs / 1000} s`)),
    maxWaitMs,
  );
  try {
    return await untilAborted(work, signal === undefined ? slow.signal : AbortSignal.any([signal, slow.signal]));
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function notStored(name: string): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `${name} is not stored, and upstreams are not asked (offline)`, {
    details: { name },
  });
}
