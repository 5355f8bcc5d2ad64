import { type Digest, type Lease, type Leases, type Logger, MoteError } from "@mote/core";

/** Protects pushed content from `prune` until the manifest that refers to it arrives: for at least `leaseMs`, at most twice that long. */
export class PushLeases {
  readonly #cache: Partial<Leases>;
  readonly #leaseMs: number;
  readonly #logger: Logger;
  #current: Promise<Lease> | undefined;
  #previous: Promise<Lease> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(cache: Partial<Leases>, { leaseMs, logger }: { readonly leaseMs: number; readonly logger: Logger }) {
    this.#cache = cache;
    this.#leaseMs = leaseMs;
    this.#logger = logger;
  }

  /** After that, check that the content is still stored. */
  async add(digest: Digest): Promise<void> {
    if (this.#cache.lease === undefined || this.#isClosed) return;
    const current = this.#current ?? this.#cache.lease([]);
    this.#current = current;
    this.#timer ??= setInterval(() => this.#rotate(), this.#leaseMs).unref();
    try {
      await (await current).add(digest);
    } catch (error) {
      if (this.#current === current) this.#current = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await Promise.all([this.#release(this.#previous), this.#release(this.#current)]);
  }

  #rotate(): void {
    void this.#release(this.#previous);
    this.#previous = this.#current;
    this.#current = undefined;
    if (this.#previous !== undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #release(lease: Promise<Lease> | undefined): Promise<void> {
    try {
      await (await lease)?.release();
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      this.#logger.debug("cannot release a lease", { error });
    }
  }
}
