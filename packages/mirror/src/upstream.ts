import {
  BoundedMap,
  type Cancellable,
  type ContentSource,
  detailOf,
  isNotFound,
  MoteError,
  type MoteSource,
  type TagPage,
} from "@mote/core";
import { CircuitBreaker } from "./circuit-breaker.js";
import type { UpstreamName } from "./upstream-table.js";

/** A repository as it is read from an upstream. */
export interface UpstreamContent {
  /** Manifests and whole blobs. */
  readonly source: ContentSource;
  /** Sizes and ranges of blobs. */
  readonly blobs: MoteSource;
  tags(
    options: Cancellable & { readonly after?: string | undefined; readonly limit?: number | undefined },
  ): Promise<TagPage>;
}

/** An upstream registry. */
export interface UpstreamRegistry extends UpstreamName {
  open(path: string): UpstreamContent;
}

export interface UpstreamStatus {
  readonly name: string;
  readonly state: CircuitBreaker["state"];
}

/** Repositories of one upstream that are remembered. */
const maxOpened = 1_000;

/** Codes by which an upstream answers about the content: it works. */
const answers: ReadonlySet<string> = new Set([
  "MOTE_UNAUTHORIZED",
  "MOTE_FORBIDDEN",
  "MOTE_TOO_LARGE",
  "MOTE_INVALID_MANIFEST",
  "MOTE_DIGEST_MISMATCH",
  "MOTE_SIZE_MISMATCH",
  "MOTE_CORRUPT",
]);

/** An upstream registry with its circuit breaker. */
export class Upstream {
  readonly name: string;
  readonly #registry: UpstreamRegistry;
  readonly #breaker: CircuitBreaker;
  readonly #opened = new BoundedMap<string, UpstreamContent>(maxOpened);
  readonly #isOffline: boolean;

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(registry: UpstreamRegistry, options: { readonly isOffline: boolean; readonly now: () => number }) {
    this.name = registry.name;
    this.#registry = registry;
    this.#isOffline = options.isOffline;
    this.#breaker = new CircuitBreaker(options.now);
  }

  get status(): UpstreamStatus {
    return { name: this.name, state: this.#breaker.state };
  }

  /**
   * Sends a request unless the upstream has failed lately.
   *
   * @throws MOTE_NOT_FOUND if upstreams are never asked · MOTE_UNREACHABLE · what `send` throws
   */
  async request<Result>(
    path: string,
    send: (content: UpstreamContent) => Promise<Result>,
    { signal }: Cancellable = {},
  ): Promise<Result> {
    if (this.#isOffline) throw this.#notAsked(path);
    if (!this.#breaker.tryRequest()) throw this.#unreachable();
    try {
      const result = await send(this.content(path));
      this.#breaker.succeeded();
      return result;
    } catch (error) {
      if (signal?.aborted) this.#breaker.abandoned();
      else if (isAnswer(error)) this.#breaker.succeeded();
      else this.#breaker.failed(retryAfterMs(error));
      throw error;
    }
  }

  /** Repositories hold what they have found out about theirs, such as a manifest that came with its name. */
  content(path: string): UpstreamContent {
    const content = this.#opened.get(path) ?? this.#registry.open(path);
    this.#opened.set(path, content);
    return content;
  }

  #notAsked(path: string): MoteError {
    return new MoteError("MOTE_NOT_FOUND", `not stored, and ${this.name} is not asked (offline)`, {
      details: { registry: this.name, repository: path },
    });
  }

  #unreachable(): MoteError {
    const { retryAfterMs } = this.#breaker;
    const seconds = Math.ceil(retryAfterMs / 1000);
    return new MoteError(
      "MOTE_UNREACHABLE",
      `${this.name} has failed several times; it is tried again in ${seconds} s`,
      {
        details: { registry: this.name, retryAfterMs },
      },
    );
  }
}

/** Whether the upstream answered, so that what is stored must not stand in for the answer. */
export function isAnswer(error: unknown): boolean {
  return isNotFound(error) || (MoteError.isInstance(error) && answers.has(error.code));
}

function retryAfterMs(error: unknown): number | undefined {
  const ms = detailOf(error, "retryAfterMs");
  return typeof ms === "number" ? ms : undefined;
}
