import type { IncomingHttpHeaders } from "node:http";
import type { Repositories } from "./repositories.js";
import type { Route } from "./route.js";

/** The registry, its blob storage and its token service: three origins, as most hosted registries have. */
export type Listener = "registry" | "storage" | "tokens";

export interface SimulatedRequest {
  readonly listener: Listener;
  readonly method: string;
  readonly url: URL;
  readonly route: Route;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

export interface Reply {
  readonly status: number;
  /** Names in lower case. Undefined omits a header, also `content-length`. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: Uint8Array | string | undefined;
  /** Bytes of the body after which the connection is closed. */
  readonly cutAfter?: number | undefined;
}

/** The state of a registry that its behaviours use. */
export interface SimulatedState {
  /** Without a trailing slash, such as `http://127.0.0.1:4711`. */
  readonly origins: Readonly<Record<Listener, string>>;
  readonly repositories: Repositories;
  readonly login: Login | undefined;
  /** State of behaviours, each under its own key. */
  readonly notes: Map<string, unknown>;
}

interface Login {
  readonly username: string;
  readonly password: string;
}

/** Responds, or changes the response of `next`, which calls the next behaviour and finally the distribution API. */
type Handler = (request: SimulatedRequest, next: () => Reply, state: SimulatedState) => Reply;

/** A behaviour of a registry, and where it is documented. */
export interface Report {
  /** A sentence for the page of registries, without a full stop. */
  readonly name: string;
  /** The public report or document. */
  readonly source: `https://${string}`;
}

/** One way in which a registry differs from the specification. */
export interface Behaviour extends Report {
  readonly handle: Handler;
}

/** The checks that the suite runs against each registry. */
export type Check =
  | "log in"
  | "pull"
  | "private"
  | "platform"
  | "push twice"
  | "push an index"
  | "lost responses"
  | "immutable tag"
  | "referrers"
  | "resume"
  | "rate limit"
  | "mount";

/** A simulated registry. */
export interface RegistryKind {
  readonly name: string;
  /** The only user. Default: anonymous access. */
  readonly login?: Login | undefined;
  /** In order: the first behaviour handles a request first, and its response last. */
  readonly behaviours: readonly Behaviour[];
  /** The response to too many requests. Default: 429 with `Retry-After: 0`. */
  readonly rateLimit?: (Report & { readonly reply: Reply }) | undefined;
  /** Checks that do not apply, each with the reason. */
  readonly lacks: Partial<Readonly<Record<Check, string>>>;
}
