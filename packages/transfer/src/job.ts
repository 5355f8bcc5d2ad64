import { setMaxListeners } from "node:events";
import {
  type ContentDestination,
  type ContentEvent,
  type ContentSource,
  type Descriptor,
  type Digest,
  type Logger,
  type MoteCache,
  MoteError,
  messageOf,
  type ParallelFetches,
  type Ref,
} from "@mote/core";
import type { TransferEvent } from "./events.js";
import { Tallies } from "./report.js";

export interface JobDependencies {
  readonly source: ContentSource;
  readonly destination: ContentDestination | undefined;
  readonly cache: MoteCache;
  readonly logger: Logger;
  readonly concurrency: number;
  readonly parallelFetches: ParallelFetches;
  readonly openSource: ((ref: Ref) => ContentSource | Promise<ContentSource>) | undefined;
  readonly onEvent: ((event: TransferEvent) => void) | undefined;
  /** The signal of the caller. */
  readonly signal: AbortSignal | undefined;
}

/** The state of one call of `transfer`. */
export class Job {
  readonly source: ContentSource;
  readonly destination: ContentDestination | undefined;
  readonly cache: MoteCache;
  readonly logger: Logger;
  readonly concurrency: number;
  readonly parallelFetches: ParallelFetches;
  readonly openSource: JobDependencies["openSource"];
  readonly tallies = new Tallies();
  readonly warnings: string[] = [];
  /** Blobs and manifests that are known to be in the cache. */
  readonly inCache = new Set<Digest>();
  /** Verified blobs that were fetched before the plan was made. */
  readonly received = new Map<Digest, Uint8Array>();
  /** False after a lease lapsed, when cached content may have been removed. */
  trustsCache = true;
  /** Aborted by the caller or the first error. The transfer rejects with its reason. */
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #onEvent: ((event: TransferEvent) => void) | undefined;
  #ended = false;

  constructor(dependencies: JobDependencies) {
    this.source = dependencies.source;
    this.destination = dependencies.destination;
    this.cache = dependencies.cache;
    this.logger = dependencies.logger;
    this.concurrency = dependencies.concurrency;
    this.parallelFetches = dependencies.parallelFetches;
    this.openSource = dependencies.openSource;
    this.#onEvent = dependencies.onEvent;
    this.signal = dependencies.signal
      ? AbortSignal.any([dependencies.signal, this.#controller.signal])
      : this.#controller.signal;
    // Concurrent operations share the signal, and Node warns about more than ten listeners.
    setMaxListeners(0, this.signal);
  }

  /** Returns the options of a call to the source or destination. With `blob`, events include its size. */
  callOptions({ signal = this.signal, blob }: { readonly signal?: AbortSignal; readonly blob?: Descriptor } = {}) {
    return { signal, onEvent: (event: ContentEvent) => this.#forward(event, blob) };
  }

  #forward(event: ContentEvent, blob: Descriptor | undefined): void {
    const { digest, registry } = event;
    const size = digest === blob?.digest ? blob?.size : undefined;
    if (event.type === "resume") {
      const { offset, reason } = event;
      if (digest !== undefined && size !== undefined) this.emit({ type: "resume", digest, size, offset, reason });
    } else if (event.type === "retry") {
      const { host, attempt, retries, delayMs, reason } = event;
      this.emit({ type: "retry", digest, size, registry, host, reason, attempt, retries, delayMs });
    } else this.emit({ type: "wait", digest, size, registry, host: event.host });
  }

  /** Sends an event. Errors of the listener are logged, because other transfers may wait for the same fetch. */
  emit(event: TransferEvent): void {
    if (this.#ended) return;
    try {
      this.#onEvent?.(event);
    } catch (error) {
      this.logger.error("a listener of transfer events threw", { event, error });
    }
  }

  /** Forgets what is in the cache. */
  bypassCache(): void {
    this.inCache.clear();
    this.trustsCache = false;
  }

  /** Reports an error that does not fail the transfer. */
  warn(message: string, cause: unknown, digest?: Digest): void {
    this.#report(`${message}: ${messageOf(cause)}`, cause, digest);
  }

  /** Returns the result of `work`; undefined after an error, which is reported. @throws the reason of `signal` */
  async orWarn<T>(work: Promise<T>, message: string, digest?: Digest): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      this.signal.throwIfAborted();
      this.warn(message, error, digest);
      return undefined;
    }
  }

  /** Reports something that a user might not expect. */
  notice(message: string): void {
    this.#report(message);
  }

  #report(message: string, cause?: unknown, digest?: Digest): void {
    const code = MoteError.isInstance(cause) ? cause.code : undefined;
    this.warnings.push(message);
    this.logger.warn(message, { digest, cause });
    this.emit({ type: "warning", message, code, digest });
  }

  end(): void {
    this.#ended = true;
  }

  /**
   * Calls `act` for all items concurrently. The first error aborts the job and is thrown when all calls have ended.
   * @param limit the maximum number of concurrent calls
   */
  async forEach<T>(items: Iterable<T>, act: (item: T) => Promise<void>, limit = this.concurrency): Promise<void> {
    const queue = items[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (let next = queue.next(); !next.done && !this.signal.aborted; next = queue.next()) {
        try {
          await act(next.value);
        } catch (error) {
          this.#controller.abort(error);
        }
      }
    };
    await Promise.all(Array.from({ length: limit }, work));
    this.signal.throwIfAborted();
  }
}
