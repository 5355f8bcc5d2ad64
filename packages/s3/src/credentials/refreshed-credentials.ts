import { type Cancellable, MoteError, untilAborted } from "@mote/core";
import type { Credentials, CredentialsProvider } from "./credentials.js";

/** Credentials are renewed this long before they expire. */
const renewBeforeMs = 5 * 60_000;

/** A call of the provider, shared by all who wait for it. */
interface Renewal {
  readonly result: Promise<Credentials>;
  readonly aborting: AbortController;
  waiting: number;
}

/** Provides credentials to all requests and renews them: one call of the provider at a time. */
export class RefreshedCredentials {
  readonly #provider: CredentialsProvider;
  readonly #now: () => number;
  #current: Credentials | undefined;
  #renewal: Renewal | undefined;

  constructor(provider: CredentialsProvider, now: () => number = Date.now) {
    this.#provider = provider;
    this.#now = now;
  }

  /** @throws MOTE_UNAUTHORIZED · what the provider throws */
  async get({ signal }: Cancellable = {}): Promise<Credentials> {
    const current = this.#current;
    if (current !== undefined && !this.#isDue(current)) return current;
    try {
      return await this.#renewed(signal);
    } catch (error) {
      signal?.throwIfAborted();
      // The old ones are still valid for a while.
      if (current?.expiresMs !== undefined && current.expiresMs > this.#now()) return current;
      throw error;
    }
  }

  /** Discards credentials that the service has rejected. Returns whether other credentials can be had. */
  reject(rejected: Credentials): boolean {
    if (this.#current !== rejected) return true;
    this.#current = undefined;
    return rejected.sessionToken !== undefined || rejected.expiresMs !== undefined;
  }

  #isDue({ expiresMs }: Credentials): boolean {
    return expiresMs !== undefined && expiresMs - renewBeforeMs <= this.#now();
  }

  /** Waits for the provider, whose call is aborted when the last caller that waits for it has aborted. */
  async #renewed(signal: AbortSignal | undefined): Promise<Credentials> {
    const renewal = this.#renewal ?? this.#start();
    renewal.waiting++;
    try {
      return await untilAborted(renewal.result, signal);
    } finally {
      renewal.waiting--;
      if (renewal.waiting === 0 && this.#renewal === renewal) {
        this.#renewal = undefined;
        renewal.aborting.abort(signal?.reason);
      }
    }
  }

  #start(): Renewal {
    const aborting = new AbortController();
    const result = this.#request(aborting.signal).finally(() => {
      if (this.#renewal === renewal) this.#renewal = undefined;
    });
    result.catch(() => {});
    const renewal: Renewal = { result, aborting, waiting: 0 };
    this.#renewal = renewal;
    return renewal;
  }

  async #request(signal: AbortSignal): Promise<Credentials> {
    const credentials = await this.#provider({ signal });
    // Control characters would end a header.
    const texts = [credentials?.accessKeyId, credentials?.secretAccessKey, credentials?.sessionToken ?? "-"];
    if (!texts.every((text) => typeof text === "string" && /^[\x21-\x7e]+$/.test(text)))
      throw new MoteError("MOTE_UNAUTHORIZED", "the credentials for S3 are not valid; check where they come from");
    this.#current = credentials;
    return credentials;
  }
}
