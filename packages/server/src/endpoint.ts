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
  parseDigest,
  parseRepositoryName,
  readMote,
  silentLogger,
  sniffManifestType,
  type TagStore,
} from "@mote/core";
import { Belonging } from "./belonging.js";
import { parseRange } from "./byte-range.js";
import { isCurrent, mayCut } from "./conditions.js";
import { ManifestLeases } from "./manifest-leases.js";
import { catalogue, tagsOf } from "./names.js";
import { cutPage } from "./page.js";
import { listReferrers } from "./referrers.js";
import { Repositories } from "./repositories.js";
import { parseTarget, printableTarget } from "./request-target.js";
import { type ApiResponse, ErrorResponse, jsonResponse, type RequestContext } from "./response.js";
import { wholeChunks } from "./whole-chunks.js";

export interface EndpointOptions {
  /**
   * Where it has leases, what was given the manifest of is kept from prunes for a while. Its `membership` says which manifest belongs to
   * which repository; without it, the tags do.
   */
  readonly source: MoteSource & Partial<Leases> & Pick<MoteCache, "membership">;
  readonly tags: TagStore;
  /** How long, after a manifest or one of its blobs was last asked for, in milliseconds. Default 60,000; 0: not at all. */
  readonly holdMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

/** What is served is never taken for a page, whatever an artifact says that it is. */
const commonHeaders = { "docker-distribution-api-version": "registry/2.0", "x-content-type-options": "nosniff" };

/** What a request is about. */
interface Asked {
  /** The repository's name as the client gave it. */
  readonly name: string;
  /** The registry that a mirror's client means (`ns`), where it says. */
  readonly namespace: string | undefined;
  readonly query: URLSearchParams;
  readonly ask: RequestContext;
}

/** The reading half of the distribution specification, over any source and tag store. */
export class Endpoint {
  readonly #source: MoteSource;
  readonly #tags: TagStore;
  readonly #logger: Logger;
  readonly #given: ManifestLeases;
  readonly #repositories: Repositories;
  readonly #belonging: Belonging;

  constructor({ source, tags, holdMs = 60_000, logger = silentLogger }: EndpointOptions) {
    this.#source = source;
    this.#tags = tags;
    this.#logger = logger;
    this.#given = new ManifestLeases(source, { holdMs, logger });
    this.#repositories = new Repositories(source, tags, logger);
    this.#belonging = new Belonging(source, this.#repositories);
  }

  /** Lets go of what clients might have come back for. */
  async close(): Promise<void> {
    await this.#given.close();
  }

  /** Rejects only where the client has gone away, with the signal's reason. A HEAD is answered without a body. */
  async answer(ask: RequestContext): Promise<ApiResponse> {
    const { body, ...answer } = await this.#answerOrRefuse(ask);
    const headers = { ...commonHeaders, ...answer.headers };
    return body === undefined || ask.method === "HEAD" ? { ...answer, headers } : { ...answer, headers, body };
  }

  async #answerOrRefuse(ask: RequestContext): Promise<ApiResponse> {
    try {
      return await this.#route(ask);
    } catch (error) {
      if (error instanceof ErrorResponse) return error.answer;
      ask.signal.throwIfAborted();
      this.#logger.error("a request failed", { path: printableTarget(ask.target), error });
      const code = MoteError.isInstance(error) ? error.code : "an internal error";
      return new ErrorResponse(500, "UNKNOWN", `this could not be read here: ${code}`).answer;
    }
  }

  #route(ask: RequestContext): ApiResponse | Promise<ApiResponse> {
    if (ask.method !== "GET" && ask.method !== "HEAD") {
      throw new ErrorResponse(405, "UNSUPPORTED", "this registry is read-only", { headers: { allow: "GET, HEAD" } });
    }
    const { segments, query } = parseTarget(ask.target);
    const namespace = readNamespace(query);
    const [version, first, ...more] = segments;
    if (version === "v2" && (first === undefined || (first === "" && more.length === 0))) return jsonResponse(200, {});
    if (version === "v2" && first === "_catalog" && more.length === 0) return this.#catalog(namespace, query, ask);
    const [kind, reference = ""] = segments.slice(1).slice(-2);
    const name = segments.slice(1, -2).join("/");
    if (version === "v2" && name !== "") {
      const asked = () => ({ name: checkName(name), namespace, query, ask });
      if (kind === "manifests") return this.#manifest(asked(), reference);
      if (kind === "blobs") return this.#blob(asked(), reference);
      if (kind === "referrers") return this.#referrers(asked(), reference);
      if (kind === "tags" && reference === "list") return this.#tagList(asked());
    }
    throw new ErrorResponse(404, "UNSUPPORTED", "there is nothing at this path");
  }

  async #manifest(asked: Asked, reference: string): Promise<ApiResponse> {
    const { ask } = asked;
    const found = await this.#findManifest(asked, reference);
    if (found === undefined) throw unknownManifest(asked, reference);
    const bytes = await this.#readManifest(found.digest, ask);
    const contentType = bytes && (manifestType(bytes) ?? found.mediaType);
    if (bytes === undefined || contentType === undefined) throw unknownManifest(asked, reference);
    await this.#given.hold(found.digest, contentType, bytes);
    // A prune that was at work before has taken the manifest away first.
    if (!(await this.#source.moteExists(found.digest, { signal: ask.signal }))) throw unknownManifest(asked, reference);
    if (isCurrent(ask, found.digest)) return notModified(found.digest);
    const headers = {
      "content-type": contentType,
      "content-length": String(bytes.byteLength),
      ...identity(found.digest),
    };
    return { status: 200, headers, body: bytes };
  }

  async #findManifest(
    { name, namespace, ask }: Asked,
    reference: string,
  ): Promise<{ readonly digest: Digest; readonly mediaType?: string } | undefined> {
    const digest = reference.includes(":") ? checkDigest(reference) : undefined;
    if (digest === undefined && !isTagName(reference)) return undefined;
    const repository = await this.#repositories.find(name, namespace);
    if (repository === undefined) return undefined;
    if (digest !== undefined) return (await this.#belonging.has(repository, digest)) ? { digest } : undefined;
    const tag = `${repository}:${reference}`;
    const descriptor = await this.#tags.resolve(tag, { signal: ask.signal });
    if (descriptor === undefined) return undefined;
    await this.#repositories.note(tag, descriptor.digest);
    return { digest: descriptor.digest, mediaType: safeType(descriptor) };
  }

  /** Undefined where it is not there, or is no manifest by its size. */
  async #readManifest(digest: Digest, { signal }: RequestContext): Promise<Uint8Array | undefined> {
    try {
      return await readMote(this.#source, digest, { maxBytes: maxManifestBytes, signal });
    } catch (error) {
      if (isNotFound(error) || (MoteError.isInstance(error) && error.code === "MOTE_TOO_LARGE")) return undefined;
      throw error;
    }
  }

  async #blob({ name, namespace, ask }: Asked, reference: string): Promise<ApiResponse> {
    const digest = checkDigest(reference);
    const { signal } = ask;
    const unknown = new ErrorResponse(404, "BLOB_UNKNOWN", "blob not found in this repository", {
      detail: { name, digest },
    });
    const repository = await this.#repositories.find(name, namespace);
    if (repository === undefined || !(await this.#belonging.has(repository, digest))) throw unknown;
    this.#given.touch(digest);
    const info = await this.#source.find(digest, { signal });
    if (info === undefined) throw unknown;
    const { size } = info;
    const headers = { "content-type": mediaTypes.octetStream, "accept-ranges": "bytes", ...identity(digest) };
    if (isCurrent(ask, digest)) return notModified(digest);
    if (ask.method === "HEAD") return { status: 200, headers: { ...headers, "content-length": String(size) } };
    const range = mayCut(ask, digest) ? parseRange(ask.header("range"), size) : undefined;
    if (range === "unsatisfiable") {
      throw new ErrorResponse(416, "UNSUPPORTED", `the blob has ${size} bytes`, {
        headers: { "content-range": `bytes */${size}` },
      });
    }
    const { start, end } = range ?? { start: 0, end: size };
    const reader = await this.#source
      .moteReader(digest, range === undefined ? { signal } : { start, end, signal })
      .catch((error: unknown) => {
        throw isNotFound(error) ? unknown : error;
      });
    return {
      status: range === undefined ? 200 : 206,
      headers: {
        ...headers,
        "content-length": String(end - start),
        ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${size}` }),
      },
      body: { chunks: wholeChunks(reader, end - start), close: () => reader.close() },
    };
  }

  async #tagList({ name, namespace, query, ask }: Asked): Promise<ApiResponse> {
    const repository = await this.#repositories.find(name, namespace);
    if (repository === undefined) throw unknownName(name);
    const tags: string[] = [];
    for await (const tag of tagsOf(this.#tags, repository, { signal: ask.signal })) tags.push(tag);
    const { entries, link } = cutPage(tags, `/v2/${name}/tags/list`, query);
    return jsonResponse(200, { name, tags: entries }, link === undefined ? {} : { link });
  }

  async #catalog(
    namespace: string | undefined,
    query: URLSearchParams,
    { signal }: RequestContext,
  ): Promise<ApiResponse> {
    const repositories = await catalogue(this.#source, this.#tags, { namespace, signal });
    if (namespace !== undefined && repositories.length === 0) throw unknownName(namespace);
    const { entries, link } = cutPage(repositories, "/v2/_catalog", query);
    return jsonResponse(200, { repositories: entries }, link === undefined ? {} : { link });
  }

  async #referrers({ name, namespace, query, ask }: Asked, reference: string): Promise<ApiResponse> {
    const subject = checkDigest(reference);
    const repository = await this.#repositories.find(name, namespace);
    if (repository === undefined) throw unknownName(name);
    const roots = await this.#belonging.referrers(repository, subject);
    const all = await listReferrers(this.#source, roots, subject, { signal: ask.signal });
    const wanted = query.get("artifactType");
    const manifests = wanted === null ? all : all.filter(({ artifactType }) => artifactType === wanted);
    return jsonResponse(
      200,
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
      { "content-type": mediaTypes.ociIndex, ...(wanted === null ? {} : { "oci-filters-applied": "artifactType" }) },
    );
  }
}

/** A client means one registry; of two it would be told one, and a proxy in front may have taken the other. */
function readNamespace(query: URLSearchParams): string | undefined {
  const [namespace, ...others] = query.getAll("ns");
  if (others.length > 0) throw new ErrorResponse(400, "NAME_INVALID", "ns is given more than once");
  return namespace;
}

/** distribution-spec, "Pulling manifests": `<name>`; or one after a registry's host and a slash. */
function checkName(name: string): string {
  const registry = parseRepositoryName(name)?.registry;
  const isInFull = registry !== undefined && (/[.:]/.test(registry) || registry === "localhost");
  if (isInFull || isRepositoryPath(name)) return name;
  throw new ErrorResponse(
    400,
    "NAME_INVALID",
    "a repository's name is lower-case letters, digits, and . _ - / between them",
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

/** The same, whatever the reason is: what else is here is nobody's business. */
function unknownManifest({ name }: Asked, reference: string): ErrorResponse {
  const message =
    "manifest not found in this repository; if several registries have one of this name, say which: ?ns=HOST";
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

/** A type that an artifact made up is not sent if a browser could run what comes with it. */
function safeType({ mediaType }: Descriptor): string {
  return /^application\/[\w.+-]{1,200}$/.test(mediaType) ? mediaType : mediaTypes.octetStream;
}

function identity(digest: Digest) {
  return { "docker-content-digest": digest, etag: `"${digest}"` };
}

function notModified(digest: Digest): ApiResponse {
  return { status: 304, headers: identity(digest) };
}
