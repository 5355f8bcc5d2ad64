import {
  BoundedMap,
  type Cancellable,
  CircuitBreaker,
  type ContentSource,
  detailOf,
  hasCode,
  inTime,
  type ListOptions,
  MoteError,
  type MoteErrorCode,
  type MoteSource,
  messageOf,
  type RepositoryPage,
  type TagPage,
  type UpstreamStatus,
  type UpstreamTraffic,
} from "@mote/core";
import type { UpstreamName } from "./upstream-table.js";

/** A repository as it is read from an upstream. */
export interface UpstreamContent {
  /** Manifests and whole blobs. */
  readonly source: ContentSource;
  /** Sizes and ranges of blobs. */
  readonly blobs: Pick<MoteSource, "find" | "moteReader">;
  tags(options: ListOptions): Promise<TagPage>;
}

/** An upstream registry. */
export interface UpstreamRegistry extends UpstreamName {
  /** Is read when the status is requested. */
  readonly traffic?: UpstreamTraffic | undefined;
  open(path: string): UpstreamContent;
  /** Lists its repositories. Absent if it has no such list. */
  repositories?(options: ListOptions): Promise<RepositoryPage>;
}

/** Repositories of one upstream that are remembered. */
const maxOpened = 1_000;
/** Milliseconds after which a repository is opened again, as a mirror of it that failed is not used until then. */
const reopenMs = 60_000;
/** Milliseconds for a request with its retries, until the response begins. */
const maxRequestMs = 30_000;

/**
 * What requests are for. Each kind has a circuit breaker of its own: a registry may limit the rate of manifests, but not that of blobs.
 */
export type RequestKind = "manifests" | "blobs" | "lists";

/** Codes by which an upstream answers about the content: it works. */
const answers: readonly MoteErrorCode[] = [
  "MOTE_NOT_FOUND",
  "MOTE_UNAUTHORIZED",
  "MOTE_FORBIDDEN",
  "MOTE_TOO_LARGE",
  "MOTE_INVALID_MANIFEST",
  "MOTE_DIGEST_MISMATCH",
  "MOTE_SIZE_MISMATCH",
  "MOTE_CORRUPT",
  "MOTE_RANGE_REFUSED",
];

interface OpenedContent {
  readonly content: UpstreamContent;
  readonly untilMs: number;
}

/** A circuit breaker, and the last error behind it. */
interface Guard {
  readonly breaker: CircuitBreaker;
  error: unknown;
}

/** An upstream registry with its circuit breakers. */
export class Upstream {
  readonly name: string;
  readonly #registry: UpstreamRegistry;
  readonly #guards: Readonly<Record<RequestKind, Guard>>;
  readonly #opened = new BoundedMap<string, OpenedContent>(maxOpened);
  readonly #isOffline: boolean;
  readonly #now: () => number;
  #last: Pick<UpstreamStatus, "lastSuccessMs" | "lastError"> = {};

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(registry: UpstreamRegistry, options: { readonly isOffline: boolean; readonly now: () => number }) {
    this.name = registry.name;
    this.#registry = registry;
    this.#isOffline = options.isOffline;
    this.#now = options.now;
    const guard = () => ({ breaker: new CircuitBreaker(options.now), error: undefined });
    this.#guards = { manifests: guard(), blobs: guard(), lists: guard() };
  }

  get status(): UpstreamStatus {
    const { traffic } = this.#registry;
    const states = Object.values(this.#guards).map(({ breaker }) => breaker.state);
    const state = states.find((one) => one === "open") ?? states.find((one) => one === "half-open") ?? "closed";
    return { name: this.name, state, traffic, ...this.#last };
  }

  /** Whether it is asked for what is not stored. */
  get isAvailable(): boolean {
    const { manifests, blobs } = this.#guards;
    return !this.#isOffline && manifests.breaker.state === "closed" && blobs.breaker.state === "closed";
  }

  /**
   * Sends a request unless the upstream has failed lately. `send` gets a signal that is aborted if the response does not begin in time.
   *
   * @throws MOTE_NOT_FOUND if upstreams are never asked · MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_RATE_LIMITED · what `send` throws
   */
  request<Result>(
    { path, kind, signal }: Cancellable & { readonly path: string; readonly kind: RequestKind },
    send: (content: UpstreamContent, options: Cancellable) => Promise<Result>,
  ): Promise<Result> {
    return this.#request({ path, kind, signal }, (limited) => send(this.content(path), limited));
  }

  /** @throws as `request`; MOTE_NOT_FOUND also if it has no catalog */
  repositories(options: ListOptions): Promise<RepositoryPage> {
    const { signal } = options;
    return this.#request({ path: "", kind: "lists", signal }, async (limited) => {
      const page = await this.#registry.repositories?.({ ...options, ...limited });
      if (page !== undefined) return page;
      throw new MoteError("MOTE_NOT_FOUND", `${this.name} does not list its repositories`);
    });
  }

  async #request<Result>(
    { path, kind, signal }: Cancellable & { readonly path: string; readonly kind: RequestKind },
    send: (options: Cancellable) => Promise<Result>,
  ): Promise<Result> {
    if (this.#isOffline) throw this.#notAsked(path, kind);
    const guard = this.#guards[kind];
    const { breaker } = guard;
    if (!breaker.tryRequest()) throw this.#paused(guard);
    const limit = { ms: maxRequestMs, signal, late: () => this.#tooLate(path) };
    try {
      const result = await inTime((limited) => send({ signal: limited }), limit);
      this.#succeeded(guard);
      return result;
    } catch (error) {
      if (signal?.aborted) breaker.abandoned();
      else if (isAnswer(error)) this.#succeeded(guard);
      else this.#failed(guard, error);
      throw error;
    }
  }

  /** Repositories hold what they have found out about theirs, such as a manifest that came with its name. */
  content(path: string): UpstreamContent {
    const opened = this.#opened.get(path);
    if (opened !== undefined && this.#now() < opened.untilMs) return opened.content;
    const content = this.#registry.open(path);
    this.#opened.set(path, { content, untilMs: this.#now() + reopenMs });
    return content;
  }

  #succeeded({ breaker }: Guard): void {
    breaker.succeeded();
    this.#last = { ...this.#last, lastSuccessMs: Date.now() };
  }

  #failed(guard: Guard, error: unknown): void {
    guard.breaker.failed(retryAfterMs(error));
    guard.error = error;
    this.#last = { ...this.#last, lastError: { atMs: Date.now(), message: messageOf(error) } };
  }

  /** What is not stored does not exist then, but what a list would contain is not known. */
  #notAsked(path: string, kind: RequestKind): MoteError {
    return new MoteError(
      kind === "lists" ? "MOTE_UNREACHABLE" : "MOTE_NOT_FOUND",
      `not stored, and ${this.name} is not contacted (offline)`,
      { details: { registry: this.name, repository: path, reason: "offline" } },
    );
  }

  #tooLate(path: string): MoteError {
    return new MoteError("MOTE_TIMEOUT", `${this.name} did not respond within ${maxRequestMs / 1000} s; retry later`, {
      details: { registry: this.name, repository: path },
    });
  }

  #paused({ breaker: { retryAfterMs }, error }: Guard): MoteError {
    const details = { registry: this.name, retryAfterMs };
    const seconds = Math.ceil(retryAfterMs / 1000);
    if (hasCode(error, "MOTE_RATE_LIMITED")) {
      const message = `the rate limit of ${this.name} is exceeded; it is asked again in ${seconds} s`;
      return new MoteError("MOTE_RATE_LIMITED", message, { details });
    }
    const message = `${this.name} has failed several times; the next request is in ${seconds} s`;
    return new MoteError("MOTE_UNREACHABLE", message, { details });
  }
}

/** Whether the upstream answered, so that what is stored must not stand in for the answer. */
export function isAnswer(error: unknown): boolean {
  return hasCode(error, ...answers);
}

function retryAfterMs(error: unknown): number | undefined {
  const ms = detailOf(error, "retryAfterMs");
  return typeof ms === "number" ? ms : undefined;
}
