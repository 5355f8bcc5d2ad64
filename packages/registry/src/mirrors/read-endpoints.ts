import { isNotFound, MoteError, type TimeLimited } from "@mote/core";
import type { RegistryClient } from "../client.js";
import type { RetryPolicy } from "../http/retry.js";
import { RegistryRepository } from "../pull/repository.js";
import type { RepositoryApiOptions } from "../repository-api.js";
import type { RepositoryLocation } from "../repository-location.js";
import type { MirrorEndpoint } from "./mirrors.js";

/** An endpoint of a repository. */
export interface ReadEndpoint {
  readonly repository: RegistryRepository;
  readonly isOrigin: boolean;
}

/** A repository's mirrors in order, then its own registry. */
export class ReadEndpoints {
  readonly origin: ReadEndpoint;
  readonly mirrors: readonly ReadEndpoint[];
  readonly #client: RegistryClient;
  /** Why each was permanently skipped. */
  readonly #failures = new Map<ReadEndpoint, unknown>();

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(
    client: RegistryClient,
    location: RepositoryLocation,
    mirrors: readonly MirrorEndpoint[],
    options: Pick<RepositoryApiOptions, "traffic" | "policy"> = {},
  ) {
    this.#client = client;
    this.origin = { repository: new RegistryRepository(client, location, options), isOrigin: true };
    const policy = shortRetryPolicy(options.policy ?? client.policy);
    this.mirrors = mirrors.map(({ namespace, ...mirror }) => ({
      repository: new RegistryRepository(client, mirror, { ...options, namespace, policy }),
      isOrigin: false,
    }));
  }

  /** Omits endpoints that have been skipped since. */
  *inOrder(): Generator<ReadEndpoint, void, undefined> {
    for (const mirror of this.mirrors) if (!this.#failures.has(mirror)) yield mirror;
    yield this.origin;
  }

  /** Returns the first result; rejects with the origin's error if all fail. */
  async first<T>(
    request: (endpoint: ReadEndpoint, timeoutMs: number | undefined) => Promise<T>,
    { signal, timeoutMs, among = this.inOrder() }: TimeLimited & { readonly among?: Iterator<ReadEndpoint> },
  ): Promise<T> {
    const { clock } = this.#client;
    const until = timeoutMs === undefined ? undefined : clock.now() + timeoutMs;
    for (;;) {
      const { value: endpoint, done } = among.next();
      if (done) throw new TypeError("the origin was requested already");
      // The time is split evenly over the remaining endpoints.
      const share = until === undefined ? undefined : Math.max(0, until - clock.now()) / this.#countFrom(endpoint);
      try {
        return await request(endpoint, share);
      } catch (error) {
        signal?.throwIfAborted();
        this.passOver(endpoint, error);
      }
    }
  }

  /** Returns how many endpoints are left, including this one. */
  #countFrom(endpoint: ReadEndpoint): number {
    const behind = this.mirrors.slice(endpoint.isOrigin ? this.mirrors.length : this.mirrors.indexOf(endpoint));
    return behind.filter((mirror) => !this.#failures.has(mirror)).length + 1;
  }

  /** Skips a mirror after an error: only this time if it lacks the content, else permanently. @throws the error of the origin */
  passOver(endpoint: ReadEndpoint, error: unknown): void {
    if (endpoint.isOrigin) throw this.#withMirrors(error);
    // A bug or a closed client would fail at other endpoints, too. A mirror without ranges has the blob.
    if (!MoteError.isInstance(error) || ["MOTE_CLOSED", "MOTE_RANGE_REFUSED"].includes(error.code)) throw error;
    const mirror = nameOf(endpoint);
    if (isNotFound(error)) {
      this.#client.logger.info(`the mirror ${mirror} does not have it: ${error.message}`);
    } else if (!this.#failures.has(endpoint)) {
      this.#failures.set(endpoint, error);
      this.#client.logger.warn(`skipping the mirror ${mirror}: ${error.message}`, { mirror, code: error.code });
    }
  }

  #withMirrors(error: unknown): unknown {
    if (!MoteError.isInstance(error) || this.#failures.size === 0) return error;
    const mirrors = [...this.#failures].map(([endpoint, failure]) => ({
      mirror: nameOf(endpoint),
      code: MoteError.isInstance(failure) ? failure.code : undefined,
    }));
    const told = mirrors.map(({ mirror, code }) => `${mirror} [${code}]`).join(", ");
    const details = { ...error.details, mirrors };
    return new MoteError(error.code, `${error.message}; its mirrors failed too: ${told}`, { cause: error, details });
  }
}

function nameOf({ repository }: ReadEndpoint): string {
  return `${repository.ref.registry}/${repository.ref.repository}`;
}

/** For use with a fallback endpoint: one retry after a temporary error, and no waiting for an idle or busy host. */
function shortRetryPolicy(policy: RetryPolicy): RetryPolicy {
  return { ...policy, retries: Math.min(1, policy.retries), silentRetries: 0, longestRetryAfterMs: 0 };
}
