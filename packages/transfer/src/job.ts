import {
  type ContentDestination,
  type ContentEvent,
  type ContentSource,
  type Descriptor,
  type Digest,
  type Logger,
  type MoteCache,
  MoteError,
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
  readonly openSource: ((ref: Ref) => ContentSource | Promise<ContentSource>) | undefined;
  readonly onEvent: ((event: TransferEvent) => void) | undefined;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
}

/** One call of `transfer`: its parts, what it counts, and how it stops. */
export class Job {
  readonly source: ContentSource;
  readonly destination: ContentDestination | undefined;
  readonly cache: MoteCache;
  readonly logger: Logger;
  readonly concurrency: number;
  readonly openSource: JobDependencies["openSource"];
  readonly tallies = new Tallies();
  readonly warnings: string[] = [];
  /** Blobs and manifests that are known to be in the cache, whole. */
  readonly inCache = new Set<Digest>();
  /** Blobs that the source sent before the transfer's plan was made, verified. */
  readonly received = new Map<Digest, Uint8Array>();
  /** False once what was in the cache may have been removed: then it is looked at again. */
  trustsCache = true;
  /** Aborted by the caller, or by the first failure; its reason is what the transfer rejects with. */
  readonly signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #onEvent: ((event: TransferEvent) => void) | undefined;
  #ended = false;

  constructor(parts: JobDependencies) {
    this.source = parts.source;
    this.destination = parts.destination;
    this.cache = parts.cache;
    this.logger = parts.logger;
    this.concurrency = parts.concurrency;
    this.openSource = parts.openSource;
    this.#onEvent = parts.onEvent;
    this.signal = parts.signal ? AbortSignal.any([parts.signal, this.#stop.signal]) : this.#stop.signal;
  }

  /** The signal for one of many pieces of work: Node warns of more than ten listeners on one. */
  ownSignal(): AbortSignal {
    return AbortSignal.any([this.signal]);
  }

  /** Options of one call to the source or the destination. The events of a blob's call tell its size, too. */
  callOptions({ signal = this.ownSignal(), blob }: { readonly signal?: AbortSignal; readonly blob?: Descriptor } = {}) {
    return { signal, onEvent: (event: ContentEvent) => this.#pass(event, blob) };
  }

  #pass(event: ContentEvent, blob: Descriptor | undefined): void {
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

  /** A listener that throws must not end what another transfer may be waiting for. */
  emit(event: TransferEvent): void {
    if (this.#ended) return;
    try {
      this.#onEvent?.(event);
    } catch (error) {
      this.logger.error("a listener of transfer events threw", { event, error });
    }
  }

  /** What was in the cache may be gone. */
  bypassCache(): void {
    this.inCache.clear();
    this.trustsCache = false;
  }

  /** Reports a failure that the transfer goes on without. */
  warn(message: string, cause: unknown, digest?: Digest): void {
    const text = `${message}: ${cause instanceof Error ? cause.message : String(cause)}`;
    this.#report(text, { code: MoteError.isInstance(cause) ? cause.code : undefined, digest, cause });
  }

  /** Reports what a user might not expect. */
  notice(message: string): void {
    this.#report(message, {});
  }

  #report(
    message: string,
    {
      code,
      digest,
      cause,
    }: { readonly code?: string | undefined; readonly digest?: Digest | undefined; cause?: unknown },
  ): void {
    this.warnings.push(message);
    this.logger.warn(message, { digest, cause });
    this.emit({ type: "warning", message, code, digest });
  }

  /** Nothing is told to the listener after the transfer has returned. */
  end(): void {
    this.#ended = true;
  }

  /**
   * Does `act` for all items, as many at once as the job may unless told otherwise. The first failure stops the others, and is thrown when they
   * have ended.
   */
  async forEach<T>(items: Iterable<T>, act: (item: T) => Promise<void>, atOnce = this.concurrency): Promise<void> {
    const queue = items[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (let next = queue.next(); !next.done && !this.signal.aborted; next = queue.next()) {
        try {
          await act(next.value);
        } catch (error) {
          this.#stop.abort(error);
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    this.signal.throwIfAborted();
  }
}
