import type { IncomingHttpHeaders } from "node:http";
import type { Repositories } from "./repositories.js";
import type { Route } from "./route.js";

/** The registry itself, where it keeps blobs, and its token service: three origins, as of most hosted registries. */
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
  /** In lower case. Undefined leaves a header out, `content-length` too. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: Uint8Array | string | undefined;
  /** Bytes of the body after which the connection is closed. */
  readonly cutAfter?: number | undefined;
}

/** What a behaviour may use of the registry that it belongs to. */
export interface SimulatedState {
  /** Without a slash at the end, such as `http://127.0.0.1:4711`. */
  readonly origins: Readonly<Record<Listener, string>>;
  readonly repositories: Repositories;
  readonly login: Login | undefined;
  /** A behaviour's own notes, under a key of its own. */
  readonly notes: Map<string, unknown>;
}

interface Login {
  readonly username: string;
  readonly password: string;
}

/** Responds, or changes what `next` responds: the behaviours after it, and the distribution API last. */
type Handler = (request: SimulatedRequest, next: () => Reply, state: SimulatedState) => Reply;

/** Where a registry is known to behave so, and how. */
export interface Report {
  /** A sentence for the page of registries, without a full stop. */
  readonly name: string;
  /** The public report or document that it comes from. */
  readonly source: `https://${string}`;
}

/** One way in which a registry differs from the others. */
export interface Behaviour extends Report {
  readonly handle: Handler;
}

/** What the suite tries at each registry. */
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

/** One registry of the bench. */
export interface RegistryKind {
  readonly name: string;
  /** The user that is allowed. Default: anonymous access. */
  readonly login?: Login | undefined;
  /** The first sees a request first, and its response last. */
  readonly behaviours: readonly Behaviour[];
  /** What it responds to too many requests. Default: 429 with `Retry-After: 0`. */
  readonly rateLimit?: (Report & { readonly reply: Reply }) | undefined;
  /** What it does not offer, and why: the cells of the table that have no result. */
  readonly lacks: Partial<Readonly<Record<Check, string>>>;
}
