import {
  type Descriptor,
  type Digest,
  isNotFound,
  isRepositoryPath,
  isTagName,
  type Leases,
  type Logger,
  type MoteCache,
  MoteError,
  type MoteSource,
  maxManifestBytes,
  mediaTypes,
  type PullThrough,
  parseDigest,
  parseRepositoryName,
  readMote,
  silentLogger,
  sniffManifestType,
  type TagStore,
} from "@mote/core";
import { parseRange } from "./byte-range.js";
import { completeChunks } from "./complete-chunks.js";
import { allowsRange, isNotModified } from "./conditions.js";
import { listTags, RepositoryListing } from "./listing.js";
import { ManifestLeases } from "./manifest-leases.js";
import { paginate, parsePageRequest } from "./paginate.js";
import { listReferrers } from "./referrers.js";
import { Repositories } from "./repositories.js";
import { RepositoryContents } from "./repository-contents.js";
import { parseRequestTarget, printableTarget } from "./request-target.js";
import { type ApiResponse, ErrorResponse, jsonResponse, type RequestContext } from "./response.js";
import { type FoundBlob, type FoundManifest, UpstreamRequests } from "./upstream-requests.js";

export interface EndpointOptions {
  /**
   * The served content. Served manifests and their content are leased if it supports leases. Its `membership` records which manifests belong to
   * which repository; without it, the tags are used.
   */
  readonly source: MoteSource & Partial<Leases> & Pick<MoteCache, "membership">;
  readonly tags: TagStore;
  /** Fetches what is requested of upstream registries and not stored. Default: only stored content is served. */
  readonly pullThrough?: PullThrough | undefined;
  /** How long content is leased after the last request for its manifest or blobs, in milliseconds. Default 60,000; 0 disables leases. */
  readonly holdMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

// Browsers must not render served content as pages.
const commonHeaders = { "docker-distribution-api-version": "registry/2.0", "x-content-type-options": "nosniff" };

/** RFC 7234, "Warning": the upstream could not be asked whether the tag still means this manifest. */
const staleWarning = '111 - "Revalidation Failed"';

/** A request with its parsed target. */
interface RoutedRequest {
  readonly name: string;
  /** The registry in the `ns` parameter, which clients send to mirrors. */
  readonly namespace: string | undefined;
  readonly query: URLSearchParams;
  readonly request: RequestContext;
}

/** Implements pulls of the distribution specification over a source and a tag store. */
export class Endpoint {
  readonly #source: MoteSource;
  readonly #tags: TagStore;
  readonly #logger: Logger;
  readonly #leases: ManifestLeases;
  readonly #repositories: Repositories;
  readonly #contents: RepositoryContents;
  readonly #upstreams: UpstreamRequests | undefined;

  constructor({ source, tags, pullThrough, holdMs = 60_000, logger = silentLogger }: EndpointOptions) {
    this.#source = source;
    this.#tags = tags;
    this.#logger = logger;
    this.#leases = new ManifestLeases(source, { holdMs, logger });
    this.#repositories = new Repositories(source, tags, logger);
    this.#contents = new RepositoryContents(source, this.#repositories);
    this.#upstreams = pullThrough && new UpstreamRequests(pullThrough, source, this.#contents);
  }

  async close(): Promise<void> {
    await this.#leases.close();
  }

  /** Responds to a request, to HEAD without a body. Rejects only if the client has disconnected, with the reason of the signal. */
  async respond(request: RequestContext): Promise<ApiResponse> {
    const { body, ...head } = await this.#routeOrError(request);
    const headers = { ...commonHeaders, ...head.headers };
    return body === undefined || request.method === "HEAD" ? { ...head, headers } : { ...head, headers, body };
  }

  async #routeOrError(request: RequestContext): Promise<ApiResponse> {
    try {
      return await this.#route(request);
    } catch (error) {
      if (error instanceof ErrorResponse) return error.response;
      request.signal.throwIfAborted();
      this.#logger.error("a request failed", { path: printableTarget(request.target), error });
      const code = MoteError.isInstance(error) ? error.code : "an internal error";
      return new ErrorResponse(500, "UNKNOWN", `the content cannot be read: ${code}`).response;
    }
  }

  #route(request: RequestContext): ApiResponse | Promise<ApiResponse> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new ErrorResponse(405, "UNSUPPORTED", "this registry is read-only", { headers: { allow: "GET, HEAD" } });
    }
    const { segments, query } = parseRequestTarget(request.target);
    const namespace = readNamespace(query);
    const [version, first, ...more] = segments;
    if (version === "v2" && (first === undefined || (first === "" && more.length === 0))) return jsonResponse(200, {});
    if (version === "v2" && first === "_catalog" && more.length === 0) return this.#catalog(namespace, query, request);
    const [kind, reference = ""] = segments.slice(1).slice(-2);
    const name = segments.slice(1, -2).join("/");
    if (version === "v2" && name !== "") {
      const routed = () => ({ name: checkName(name), namespace, query, request });
      if (kind === "manifests") return this.#manifest(routed(), reference);
      if (kind === "blobs") return this.#blob(routed(), reference);
      if (kind === "referrers") return this.#referrers(routed(), reference);
      if (kind === "tags" && reference === "list") return this.#tagList(routed());
    }
    throw new ErrorResponse(404, "UNSUPPORTED", "the path does not exist");
  }

  async #manifest(routed: RoutedRequest, reference: string): Promise<ApiResponse> {
    const { request } = routed;
    const found = await this.#findManifest(routed, reference);
    if (found === undefined) throw unknownManifest(routed, reference);
    const bytes = await this.#readManifest(found.digest, request);
    const contentType = bytes && (manifestType(bytes) ?? found.mediaType);
    if (bytes === undefined || contentType === undefined) throw unknownManifest(routed, reference);
    await this.#leases.hold(found.digest, contentType, bytes);
    // A prune that started before the lease may have removed the manifest.
    if (!(await this.#source.moteExists(found.digest, { signal: request.signal })))
      throw unknownManifest(routed, reference);
    if (isNotModified(request, found.digest)) return notModified(found.digest);
    const headers = {
      "content-type": contentType,
      "content-length": String(bytes.byteLength),
      ...identityHeaders(found.digest),
      ...(found.staleReason === undefined ? {} : { warning: staleWarning }),
    };
    return { status: 200, headers, body: bytes };
  }

  async #findManifest(
    { name, namespace, request }: RoutedRequest,
    reference: string,
  ): Promise<FoundManifest | undefined> {
    const digest = reference.includes(":") ? checkDigest(reference) : undefined;
    if (digest === undefined && !isTagName(reference)) return undefined;
    const { signal } = request;
    const upstream = this.#upstreams?.repository(name, namespace);
    if (upstream !== undefined) return this.#upstreams?.manifest(upstream, reference, { digest, signal });
    const repository = await this.#repositories.resolve(name, namespace);
    if (repository === undefined) return undefined;
    if (digest !== undefined) return (await this.#contents.has(repository, digest)) ? { digest } : undefined;
    const tag = `${repository}:${reference}`;
    const descriptor = await this.#tags.resolve(tag, { signal });
    if (descriptor === undefined) return undefined;
    await this.#repositories.recordTag(tag, descriptor.digest);
    return { digest: descriptor.digest, mediaType: safeMediaType(descriptor) };
  }

  /** Reads a manifest; returns undefined if it does not exist or is too large. */
  async #readManifest(digest: Digest, { signal }: RequestContext): Promise<Uint8Array | undefined> {
    try {
      return await readMote(this.#source, digest, { maxBytes: maxManifestBytes, signal });
    } catch (error) {
      if (isNotFound(error) || (MoteError.isInstance(error) && error.code === "MOTE_TOO_LARGE")) return undefined;
      throw error;
    }
  }

  async #blob(routed: RoutedRequest, reference: string): Promise<ApiResponse> {
    const digest = checkDigest(reference);
    const { name, request } = routed;
    const unknown = new ErrorResponse(404, "BLOB_UNKNOWN", "blob not found in this repository", {
      detail: { name, digest },
    });
    const blob = await this.#findBlob(routed, digest);
    if (blob === undefined) throw unknown;
    const { size } = blob;
    const headers = { "content-type": mediaTypes.octetStream, "accept-ranges": "bytes", ...identityHeaders(digest) };
    if (isNotModified(request, digest)) return notModified(digest);
    if (request.method === "HEAD") return { status: 200, headers: { ...headers, "content-length": String(size) } };
    const range = allowsRange(request, digest) ? parseRange(request.header("range"), size) : undefined;
    if (range === "unsatisfiable") {
      throw new ErrorResponse(416, "UNSUPPORTED", `the blob has ${size} bytes`, {
        headers: { "content-range": `bytes */${size}` },
      });
    }
    const { start, end } = range ?? { start: 0, end: size };
    const reader = await blob.open(range).catch((error: unknown) => {
      throw isNotFound(error) ? unknown : error;
    });
    return {
      status: range === undefined ? 200 : 206,
      headers: {
        ...headers,
        "content-length": String(end - start),
        ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${size}` }),
      },
      body: { chunks: completeChunks(reader, end - start), close: () => reader.close() },
    };
  }

  async #findBlob({ name, namespace, request }: RoutedRequest, digest: Digest): Promise<FoundBlob | undefined> {
    const { signal } = request;
    const upstream = this.#upstreams?.repository(name, namespace);
    if (upstream !== undefined) {
      this.#leases.touch(digest);
      return this.#upstreams?.blob(upstream, digest, request);
    }
    const repository = await this.#repositories.resolve(name, namespace);
    if (repository === undefined || !(await this.#contents.has(repository, digest))) return undefined;
    this.#leases.touch(digest);
    const info = await this.#source.find(digest, { signal });
    return info && { size: info.size, open: (range) => this.#source.moteReader(digest, { ...range, signal }) };
  }

  async #tagList({ name, namespace, query, request }: RoutedRequest): Promise<ApiResponse> {
    const repository = await this.#repositories.resolve(name, namespace);
    if (repository === undefined) throw unknownName(name);
    const page = parsePageRequest(query);
    const tags = await listTags(this.#tags, repository, { ...page, limit: page.limit + 1, signal: request.signal });
    const { entries, link } = paginate(tags, page, { path: `/v2/${name}/tags/list`, query });
    return jsonResponse(200, { name, tags: entries }, link === undefined ? {} : { link });
  }

  async #catalog(
    namespace: string | undefined,
    query: URLSearchParams,
    { signal }: RequestContext,
  ): Promise<ApiResponse> {
    const listing = new RepositoryListing(this.#source, this.#tags, { namespace, signal });
    const page = parsePageRequest(query);
    const repositories = await listing.names({ ...page, limit: page.limit + 1 });
    if (namespace !== undefined && repositories.length === 0) {
      const [first] = await listing.names({ after: undefined, limit: 1 });
      if (first === undefined) throw unknownName(namespace);
    }
    const { entries, link } = paginate(repositories, page, { path: "/v2/_catalog", query });
    return jsonResponse(200, { repositories: entries }, link === undefined ? {} : { link });
  }

  async #referrers({ name, namespace, query, request }: RoutedRequest, reference: string): Promise<ApiResponse> {
    const subject = checkDigest(reference);
    const repository = await this.#repositories.resolve(name, namespace);
    if (repository === undefined) throw unknownName(name);
    const roots = await this.#contents.referrers(repository, subject);
    const all = await listReferrers(this.#source, roots, subject, { signal: request.signal });
    const wanted = query.get("artifactType");
    const manifests = wanted === null ? all : all.filter(({ artifactType }) => artifactType === wanted);
    return jsonResponse(
      200,
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
      { "content-type": mediaTypes.ociIndex, ...(wanted === null ? {} : { "oci-filters-applied": "artifactType" }) },
    );
  }
}

/** Reads the `ns` parameter. Repeated parameters are rejected, because a proxy could use another one. */
function readNamespace(query: URLSearchParams): string | undefined {
  const [namespace, ...others] = query.getAll("ns");
  if (others.length > 0) throw new ErrorResponse(400, "NAME_INVALID", "ns is given more than once");
  return namespace;
}

/** Checks a `<name>` (distribution-spec, "Pulling manifests"), optionally after the host of a registry and a slash. */
function checkName(name: string): string {
  const registry = parseRepositoryName(name)?.registry;
  const isInFull = registry !== undefined && (/[.:]/.test(registry) || registry === "localhost");
  if (isInFull || isRepositoryPath(name)) return name;
  throw new ErrorResponse(
    400,
    "NAME_INVALID",
    "the repository name is not valid; use lower-case letters, digits, and . _ - / between them",
  );
}

function checkDigest(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    throw new ErrorResponse(400, "DIGEST_INVALID", error.message);
  }
}

/** Returns the same response for all reasons, so that it reveals nothing about other repositories. */
function unknownManifest({ name }: RoutedRequest, reference: string): ErrorResponse {
  const message =
    "manifest not found in this repository; if several registries have this repository, select one with ?ns=HOST";
  return new ErrorResponse(404, "MANIFEST_UNKNOWN", message, { detail: { name, reference } });
}

function unknownName(name: string): ErrorResponse {
  return new ErrorResponse(404, "NAME_UNKNOWN", "repository not found", { detail: { name } });
}

function manifestType(bytes: Uint8Array): string | undefined {
  try {
    return sniffManifestType(bytes);
  } catch (error) {
    if (MoteError.isInstance(error)) return undefined;
    throw error;
  }
}

/** Replaces media types that a browser could execute. */
function safeMediaType({ mediaType }: Descriptor): string {
  return /^application\/[\w.+-]{1,200}$/.test(mediaType) ? mediaType : mediaTypes.octetStream;
}

function identityHeaders(digest: Digest) {
  return { "docker-content-digest": digest, etag: `"${digest}"` };
}

function notModified(digest: Digest): ApiResponse {
  return { status: 304, headers: identityHeaders(digest) };
}
