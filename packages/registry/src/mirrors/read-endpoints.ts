import { isNotFound, MoteError, type TimeLimited } from "@mote/core";
import type { RegistryClient } from "../client.js";
import type { RetryPolicy } from "../http/retry.js";
import { RegistryRepository } from "../pull/repository.js";
import type { RequestOptions } from "../reports/registry-event.js";
import type { RepositoryLocation } from "../repository-location.js";
import type { MirrorEndpoint } from "./mirrors.js";

/** One of the places that a repository is read from. */
export interface ReadEndpoint {
  readonly repository: RegistryRepository;
  readonly isOrigin: boolean;
}

/** A repository's mirrors in their order, and its own registry at last. */
export class ReadEndpoints {
  readonly origin: ReadEndpoint;
  readonly mirrors: readonly ReadEndpoint[];
  readonly #client: RegistryClient;
  /** Why each was passed over for good. */
  readonly #failures = new Map<ReadEndpoint, unknown>();

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(client: RegistryClient, place: RepositoryLocation, mirrors: readonly MirrorEndpoint[]) {
    this.#client = client;
    this.origin = { repository: new RegistryRepository(client, place), isOrigin: true };
    const policy = impatient(client.policy);
    this.mirrors = mirrors.map(({ namespace, ...mirror }) => ({
      repository: new RegistryRepository(client, mirror, { namespace, policy }),
      isOrigin: false,
    }));
  }

  /** What is passed over meanwhile is left out. */
  *inOrder(): Generator<ReadEndpoint, void, undefined> {
    for (const mirror of this.mirrors) if (!this.#failures.has(mirror)) yield mirror;
    yield this.origin;
  }

  /** The first answer that is no failure; the origin's failure where all fail. */
  async first<T>(
    ask: (place: ReadEndpoint, withinMs: number | undefined) => Promise<T>,
    {
      signal,
      withinMs,
      among = this.inOrder(),
    }: TimeLimited & RequestOptions & { readonly among?: Iterator<ReadEndpoint> },
  ): Promise<T> {
    const { clock } = this.#client;
    const until = withinMs === undefined ? undefined : clock.now() + withinMs;
    for (;;) {
      const { value: place, done } = among.next();
      if (done) throw new TypeError("the origin was asked already");
      // A place that takes all of its time leaves as much to each of those behind it.
      const share = until === undefined ? undefined : Math.max(0, until - clock.now()) / this.#countFrom(place);
      try {
        return await ask(place, share);
      } catch (error) {
        signal?.throwIfAborted();
        this.passOver(place, error);
      }
    }
  }

  /** How many places are left to ask, this one with them. */
  #countFrom(place: ReadEndpoint): number {
    const behind = this.mirrors.slice(place.isOrigin ? this.mirrors.length : this.mirrors.indexOf(place));
    return behind.filter((mirror) => !this.#failures.has(mirror)).length + 1;
  }

  /** After a failure: for this once where a mirror does not have what was asked for, else for good. @throws of the origin, the failure */
  passOver(place: ReadEndpoint, error: unknown): void {
    if (place.isOrigin) throw this.#withMirrors(error);
    // Of a mistake in a program, and of a closed client, other places know no better.
    if (!MoteError.isInstance(error) || error.code === "MOTE_CLOSED") throw error;
    const mirror = nameOf(place);
    if (isNotFound(error)) {
      this.#client.logger.info(`the mirror ${mirror} does not have it: ${error.message}`);
    } else if (!this.#failures.has(place)) {
      this.#failures.set(place, error);
      this.#client.logger.warn(`the mirror ${mirror} is passed over: ${error.message}`, { mirror, code: error.code });
    }
  }

  #withMirrors(error: unknown): unknown {
    if (!MoteError.isInstance(error) || this.#failures.size === 0) return error;
    const mirrors = [...this.#failures].map(([place, failure]) => ({
      mirror: nameOf(place),
      code: MoteError.isInstance(failure) ? failure.code : undefined,
    }));
    const told = mirrors.map(({ mirror, code }) => `${mirror} [${code}]`).join(", ");
    const details = { ...error.details, mirrors };
    return new MoteError(error.code, `${error.message}; its mirrors failed before: ${told}`, { cause: error, details });
  }
}

function nameOf({ repository }: ReadEndpoint): string {
  return `${repository.ref.registry}/${repository.ref.repository}`;
}

/** There is another place to ask: one more attempt after what passes at once, and no waiting for a silent or a busy one. */
function impatient(policy: RetryPolicy): RetryPolicy {
  return { ...policy, retries: Math.min(1, policy.retries), silentRetries: 0, longestRetryAfterMs: 0 };
}
