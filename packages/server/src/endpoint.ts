import {
  type Leases,
  type Logger,
  type MoteCache,
  MoteError,
  type MoteSource,
  type PullThrough,
  silentLogger,
  type TagStore,
} from "@mote/core";
import type { Access } from "./access/access.js";
import { AccessCheck } from "./access/access-check.js";
import { blob } from "./blobs/blobs.js";
import { FleetBlobs, type ServedFleet } from "./fleet/fleet-blobs.js";
import { catalog } from "./lists/catalog.js";
import { referrers } from "./lists/referrers.js";
import { tagList } from "./lists/tag-list.js";
import { type ManifestLeases, manifestLeases } from "./manifests/manifest-leases.js";
import { manifest } from "./manifests/manifests.js";
import { checkPushCache } from "./push/push-cache.js";
import { Pushes } from "./push/pushes.js";
import { repositoriesIn } from "./repositories/repositories.js";
import { repositoryContents } from "./repositories/repository-contents.js";
import { printableTarget } from "./routing/request-target.js";
import {
  type ApiResponse,
  ErrorResponse,
  jsonResponse,
  type RequestContext,
  withoutBodyOfHead,
} from "./routing/response.js";
import { type Route, type RoutedRequest, Router } from "./routing/router.js";
import type { ServedContent } from "./served-content.js";
import { upstreamRequests } from "./upstreams/upstream-requests.js";
import { WarmRequests } from "./upstreams/warm-requests.js";
import type { Exchange } from "./workers/exchange.js";

export interface EndpointOptions {
  /**
   * The served content. Served manifests and their content are leased if it supports leases. Its `membership` records which manifests belong to
   * which repository; without it, the tags are used.
   */
  readonly source: MoteSource & Partial<Leases> & Pick<MoteCache, "membership" | "motes" | "followMote">;
  readonly tags: TagStore;
  /** Fetches what is requested of upstream registries and not stored. Default: only stored content is served. */
  readonly pullThrough?: PullThrough | undefined;
  /** The cache that pushes are stored in; usually the source. Default: pushes and deletions are rejected. */
  readonly push?: MoteCache | undefined;
  /** How long content is leased after the last request for its manifest or blobs, in milliseconds. Default 60,000; 0 disables leases. */
  readonly holdMs?: number | undefined;
  readonly logger?: Logger | undefined;
  /** Decides about each request. Default: everything is allowed. */
  readonly access?: Access | undefined;
  /** Serves the other members of a fleet of mirrors, too. Their blobs are those of `source.followMote`. Default: there is no fleet. */
  readonly fleet?: ServedFleet | undefined;
  /** Sends messages to the other processes that serve the same content. Default: there are none. */
  readonly exchange?: Exchange | undefined;
}

// Browsers must not render served content as pages.
const commonHeaders = { "docker-distribution-api-version": "registry/2.0", "x-content-type-options": "nosniff" };

/** Implements the distribution specification over a source, a tag store and, for pushes, a cache. */
export class Endpoint {
  readonly #logger: Logger;
  readonly #leases: ManifestLeases;
  readonly #pushes: Pushes | undefined;
  readonly #router: Router;
  readonly #fleet: FleetBlobs | undefined;

  /**
   * @param more routes beside those of the registry
   * @throws MOTE_CONFIG if the cache of `push` cannot receive pushes
   */
  constructor(options: EndpointOptions, more: readonly Route[] = []) {
    const { source, tags, pullThrough, push, holdMs = 60_000, logger = silentLogger } = options;
    const leases = manifestLeases(source, { holdMs, logger });
    const repositories = repositoriesIn(source, tags, logger);
    const contents = repositoryContents(source, repositories);
    const upstreams = pullThrough && upstreamRequests(pullThrough, source, contents);
    this.#logger = logger;
    this.#leases = leases;
    const content = { source, tags, leases, repositories, contents, upstreams };
    const access = new AccessCheck(options.access);
    this.#pushes = push && new Pushes(content, checkPushCache(push), access, logger);
    const warm = pullThrough === undefined ? [] : new WarmRequests(pullThrough).routes;
    this.#fleet = options.fleet && new FleetBlobs(source, options.fleet);
    const fleet = this.#fleet === undefined ? [] : [this.#fleet.route];
    const routes = [...pullRoutes(content), ...(this.#pushes?.routes ?? []), ...warm, ...fleet, ...more];
    this.#router = new Router(routes, access);
  }

  async close(): Promise<void> {
    await Promise.all([this.#leases.close(), this.#pushes?.close()]);
  }

  /** Returns whether another member of the fleet sends the request. */
  isOfFleet(request: RequestContext): boolean | Promise<boolean> {
    return this.#fleet?.identify(request) ?? false;
  }

  /** Responds to a request, to HEAD without a body. Rejects only if the client has disconnected, with the reason of the signal. */
  async respond(request: RequestContext): Promise<ApiResponse> {
    const response = withoutBodyOfHead(request.method, await this.#routeOrError(request));
    return { ...response, headers: { ...commonHeaders, ...response.headers } };
  }

  async #routeOrError(request: RequestContext): Promise<ApiResponse> {
    try {
      return await this.#router.respond(request);
    } catch (error) {
      if (error instanceof ErrorResponse) return error.response;
      request.signal.throwIfAborted();
      this.#logger.error("a request failed", { path: printableTarget(request.target), error });
      const code = MoteError.isInstance(error) ? error.code : "an internal error";
      return new ErrorResponse(500, "UNKNOWN", `the request failed: ${code}`).response;
    }
  }
}

function pullRoutes(content: ServedContent): Route[] {
  const get = (path: string, respond: Route["respond"]): Route => ({ method: "GET", path, respond });
  return [
    get("/v2", versionCheck),
    get("/v2/", versionCheck),
    get("/v2/_catalog", (routed) => catalog(content, routed)),
    get("/v2/<name>/manifests/<reference>", (routed) => manifest(content, routed)),
    get("/v2/<name>/blobs/<reference>", (routed) => blob(content, routed)),
    get("/v2/<name>/tags/list", (routed) => tagList(content, routed)),
    get("/v2/<name>/referrers/<reference>", (routed) => referrers(content, routed)),
  ];
}

function versionCheck({ challenge }: RoutedRequest): ApiResponse {
  return jsonResponse(200, {}, challenge === undefined ? {} : { "www-authenticate": challenge });
}
