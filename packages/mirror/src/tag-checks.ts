import {
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

/** Decides when an upstream is asked what a tag means. All who wait for one tag share one request. */
export class TagChecks {
  readonly #options: TagChecksOptions;
  readonly #running = new Map<string, Promise<Descriptor>>();
  readonly #negatives = new Map<string, Negative>();

  constructor(options: TagChecksOptions) {
    this.#options = options;
  }

  /**
   * `name`: the tag's full name. `ask` asks the upstream. `isStored`: whether the manifest of an older answer can still be served.
   *
   * @throws MOTE_NOT_FOUND · what `ask` throws, if no older answer is stored
   */
  async resolve(
    name: string,
    ask: () => Promise<Descriptor>,
    options: Cancellable & { readonly isStored: (descriptor: Descriptor) => Promise<boolean> },
  ): Promise<CheckedTag> {
    const { freshness, freshMs, offline, now } = this.#options;
    const check = await freshness.find(name);
    const stored = check !== undefined && (await options.isStored(check)) ? descriptorOf(check) : undefined;
    const ageMs = check === undefined ? Number.POSITIVE_INFINITY : now() - check.checkedMs;
    // A check of the future was made by a clock that was wrong.
    if (stored !== undefined && (offline || (ageMs >= 0 && ageMs < freshMs)))
      return { descriptor: stored, isHit: true };
    if (offline) throw notStored(name);
    const negative = this.#negative(name);
    if (negative !== undefined) throw negative.error;
    const running = this.#running.get(name) ?? this.#ask(name, ask);
    if (stored === undefined) return { descriptor: await untilAborted(running, options.signal), isHit: false };
    try {
      return { descriptor: await withinBound(running, options.signal), isHit: false };
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isAnswer(error)) throw error;
      return { descriptor: stored, isHit: true, staleReason: reasonOf(error) };
    }
  }

  #ask(name: string, ask: () => Promise<Descriptor>): Promise<Descriptor> {
    const running = this.#askOnce(name, ask).finally(() => this.#running.delete(name));
    running.catch(() => {});
    this.#running.set(name, running);
    return running;
  }

  async #askOnce(name: string, ask: () => Promise<Descriptor>): Promise<Descriptor> {
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
    this.#negatives.delete(name);
    this.#negatives.set(name, { error, untilMs: now() + Math.min(freshMs, maxNegativeMs) });
    for (const oldest of this.#negatives.keys()) {
      if (this.#negatives.size <= maxNegatives) break;
      this.#negatives.delete(oldest);
    }
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
