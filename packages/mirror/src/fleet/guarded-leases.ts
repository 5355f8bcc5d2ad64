import {
  type Cancellable,
  CircuitBreaker,
  type Digest,
  type FetchLease,
  type FetchLeases,
  inTime,
  type Logger,
  MoteError,
  messageOf,
} from "@mote/core";

/** Milliseconds for a call to the store. */
const limitMs = 5_000;

/** Leases of a store that may fail: then there is one warning, and no requests for a while. */
export class GuardedLeases {
  readonly #leases: FetchLeases;
  readonly #logger: Logger;
  readonly #breaker = new CircuitBreaker(() => performance.now());
  #hasWarned = false;

  constructor(leases: FetchLeases, logger: Logger) {
    this.#leases = leases;
    this.#logger = logger;
  }

  /** As of `FetchLeases`. Returns undefined if the store fails. */
  acquire(
    digest: Digest,
    holder: string,
    { signal, ...options }: Cancellable & { readonly durationMs: number; readonly replaces: number | undefined },
  ): Promise<FetchLease | undefined> {
    return this.#call((limit) => this.#leases.acquire(digest, holder, { ...options, signal: limit }), signal);
  }

  /** As of `FetchLeases`. Returns undefined if the store fails. */
  renew(
    lease: FetchLease,
    options: { readonly durationMs: number; readonly isStored?: boolean },
  ): Promise<boolean | undefined> {
    return this.#call((signal) => this.#leases.renew(lease, { ...options, signal }));
  }

  /** As of `FetchLeases`. A lease that cannot be released lapses. */
  async release(lease: FetchLease): Promise<void> {
    await this.#call((signal) => this.#leases.release(lease, { signal }));
  }

  async #call<Result>(
    send: (signal: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result | undefined> {
    signal?.throwIfAborted();
    if (!this.#breaker.tryRequest()) return undefined;
    const late = () => new MoteError("MOTE_TIMEOUT", `no response within ${limitMs / 1000} s`);
    try {
      const result = await inTime(send, { ms: limitMs, signal, late });
      this.#breaker.succeeded();
      this.#hasWarned = false;
      return result;
    } catch (error) {
      if (signal?.aborted) {
        this.#breaker.abandoned();
        throw signal.reason;
      }
      this.#breaker.failed();
      if (!this.#hasWarned) {
        const message = `cannot reach the leases of the fleet; fetching from upstreams without them: ${messageOf(error)}`;
        this.#logger.warn(message, { error });
      }
      this.#hasWarned = true;
      return undefined;
    }
  }
}
