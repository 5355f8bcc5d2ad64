import type { RangedWriter } from "./capabilities.js";
import type { ConnectionCount } from "./connection-count.js";
import type { CallOptions, ContentSource, RangeAgreement } from "./content.js";
import type { Descriptor } from "./descriptor.js";
import { hasCode } from "./error.js";
import { CacheError } from "./fetch-error.js";
import { RangePlan } from "./range-plan.js";
import { endedEarly, sourceChunks } from "./source-chunks.js";

/** After so many, the rest is read in one stream. Each was preceded by the retries of the source. */
const maxFailedConnections = 16;

export interface RangesFetch extends CallOptions {
  readonly source: Pick<ContentSource, "blob">;
  readonly descriptor: Descriptor;
  readonly signal: AbortSignal;
  /** Called with the number of bytes of each chunk. */
  readonly onReceived: (bytes: number) => void;
  readonly writer: Pick<RangedWriter, "stored">;
  readonly count: ConnectionCount;
  /** Stores bytes. @throws CacheError */
  readonly store: (bytes: Uint8Array, offset: number) => Promise<void>;
}

/**
 * Fetches what a writer lacks of a blob in closed ranges, over as many connections as `count` says. If the server ignores ranges, all bytes come
 * from its first response.
 * @throws MOTE_RANGE_REFUSED · CacheError · what the source throws, if no connection is left; all ranges have ended then
 */
export async function fetchRanges(fetch: RangesFetch): Promise<void> {
  await new RangesInParallel(fetch).run();
}

class RangesInParallel {
  readonly #fetch: RangesFetch;
  readonly #plan: RangePlan;
  readonly #agreement: RangeAgreement = {};
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  #active = 0;
  #failures = 0;
  #end: { readonly error: unknown } | undefined;
  #onIdle = () => {};

  constructor(fetch: RangesFetch) {
    this.#fetch = fetch;
    this.#plan = new RangePlan(fetch.descriptor.size, fetch.writer.stored);
    this.#signal = AbortSignal.any([fetch.signal, this.#abort.signal]);
  }

  async run(): Promise<void> {
    if (this.#plan.isEmpty) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#start();
    });
    this.#fetch.signal.throwIfAborted();
    if (this.#end !== undefined) throw this.#end.error;
  }

  /** Opens the connections that are missing. Before the first response there is only one. */
  #start(): void {
    const wanted = this.#agreement.hasResponse && !this.#agreement.isWhole ? this.#fetch.count.connections : 1;
    while (this.#active < wanted && !this.#plan.isEmpty && this.#end === undefined) {
      this.#active++;
      void this.#connection();
    }
  }

  /** Reads one range after another. Never rejects. */
  async #connection(): Promise<void> {
    const { count } = this.#fetch;
    try {
      while (this.#end === undefined && this.#active <= count.connections) {
        const range = this.#plan.take(count.rangeBytes, count.connections);
        if (range === undefined) break;
        await this.#read(range);
      }
    } catch (error) {
      this.#failed(error);
    }
    this.#active--;
    this.#start();
    if (this.#active === 0) this.#onIdle();
  }

  #failed(error: unknown): void {
    const { count } = this.#fetch;
    const isLast = this.#active === 1 || ++this.#failures >= maxFailedConnections;
    count.failed();
    if (this.#end !== undefined) return;
    if (isLast || this.#signal.aborted || error instanceof CacheError || hasCode(error, "MOTE_RANGE_REFUSED")) {
      this.#end = { error };
    }
    // Otherwise the others end their ranges, so that no byte is requested again.
    if (error instanceof CacheError) this.#abort.abort(error);
  }

  async #read(range: { readonly start: number; readonly end: number }): Promise<void> {
    const { source, descriptor, onEvent, onReceived, store, count } = this.#fetch;
    const { size } = descriptor;
    let { start: at, end } = range;
    try {
      const options = { ...range, ranges: this.#agreement, verifyOnRead: false, reuse: true, onEvent };
      const opening = source.blob(descriptor, { ...options, signal: this.#signal });
      for await (const chunk of sourceChunks(opening, { signal: this.#signal, onReceived })) {
        if (this.#agreement.isWhole && end !== size) {
          end = size;
          while (this.#plan.take(size, 1) !== undefined);
        }
        const wanted = chunk.subarray(0, end - at);
        await store(wanted, at);
        at += wanted.byteLength;
        count.received(wanted.byteLength);
        this.#start();
      }
      if (at < end) throw endedEarly(descriptor, at);
    } catch (error) {
      this.#plan.giveBack({ start: at, end });
      throw error;
    }
  }
}
