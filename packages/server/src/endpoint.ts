import {
  type Descriptor,
  type Digest,
  isNotFound,
  type Leases,
  type Logger,
  MoteError,
  type MoteSource,
  maxManifestBytes,
  mediaTypes,
  parseDigest,
  readMote,
  silentLogger,
  sniffManifestType,
  type TagStore,
} from "@mote/core";
import { type Answer, type Ask, jsonAnswer, Refusal } from "./answer.js";
import { parseRange } from "./byte-range.js";
import { GivenManifests } from "./given-manifests.js";
import { cutPage } from "./page.js";
import { listReferrers } from "./referrers.js";
import { resolveTag, splitTagName, tagsOf } from "./tag-names.js";
import { wholeChunks } from "./whole-chunks.js";

export interface EndpointOptions {
  /** Where it has leases, what was given the manifest of is kept from prunes for a while. */
  readonly source: MoteSource & Partial<Leases>;
  readonly tags: TagStore;
  /** How long, after a manifest or one of its blobs was last asked for, in milliseconds. Default 60,000; 0: not at all. */
  readonly holdMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

const commonHeaders = { "docker-distribution-api-version": "registry/2.0" };

/** The reading half of the distribution specification, over any source and tag store. */
export class Endpoint {
  readonly #source: MoteSource;
  readonly #tags: TagStore;
  readonly #logger: Logger;
  readonly #given: GivenManifests;

  constructor({ source, tags, holdMs = 60_000, logger = silentLogger }: EndpointOptions) {
    this.#source = source;
    this.#tags = tags;
    this.#logger = logger;
    this.#given = new GivenManifests(source, { holdMs, logger });
  }

  /** Lets go of what clients might have come back for. */
  async close(): Promise<void> {
    await this.#given.close();
  }

  /** Rejects only where the client has gone away, with the signal's reason. A HEAD is answered without a body. */
  async answer(ask: Ask): Promise<Answer> {
    const { body, ...answer } = await this.#answerOrRefuse(ask);
    const headers = { ...commonHeaders, ...answer.headers };
    return body === undefined || ask.method === "HEAD" ? { ...answer, headers } : { ...answer, headers, body };
  }

  async #answerOrRefuse(ask: Ask): Promise<Answer> {
    try {
      return await this.#route(ask);
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      ask.signal.throwIfAborted();
      this.#logger.error("a request failed", { path: ask.url.pathname, error });
      const code = MoteError.isInstance(error) ? error.code : "an internal error";
      return new Refusal(500, "UNKNOWN", `this could not be read here: ${code}`).answer;
    }
  }

  #route(ask: Ask): Answer | Promise<Answer> {
    if (ask.method !== "GET" && ask.method !== "HEAD") {
      throw new Refusal(405, "UNSUPPORTED", "this registry is read-only", { headers: { allow: "GET, HEAD" } });
    }
    const path = decodePath(ask.url.pathname);
    if (path === "/v2" || path === "/v2/") return jsonAnswer(200, {});
    if (path === "/v2/_catalog") return this.#catalog(ask);
    const [, version, ...segments] = path.split("/");
    const [kind, reference = ""] = segments.splice(-2);
    const name = segments.join("/");
    if (version === "v2" && name !== "") {
      if (kind === "manifests") return this.#manifest(checkName(name), reference, ask);
      if (kind === "blobs") return this.#blob(checkName(name), reference, ask);
      if (kind === "referrers") return this.#referrers(checkName(name), reference, ask);
      if (kind === "tags" && reference === "list") return this.#tagList(checkName(name), ask);
    }
    throw new Refusal(404, "UNSUPPORTED", "there is nothing at this path");
  }

  async #manifest(name: string, reference: string, ask: Ask): Promise<Answer> {
    const found: { readonly digest: Digest; readonly mediaType?: string } = reference.includes(":")
      ? { digest: checkDigest(reference) }
      : await this.#resolve(name, reference, ask);
    const bytes = await this.#readManifest(found.digest, name, reference, ask);
    const contentType = manifestType(bytes) ?? found.mediaType;
    if (contentType === undefined) throw unknownManifest(name, reference, "what has this digest is no manifest");
    await this.#given.hold(found.digest, contentType, bytes);
    // A prune that was at work before has taken the manifest away first.
    if (!(await this.#source.moteExists(found.digest, { signal: ask.signal }))) {
      throw unknownManifest(name, reference, "there is no such manifest here any more");
    }
    if (isCurrent(ask, found.digest)) return notModified(found.digest);
    const headers = {
      "content-type": contentType,
      "content-length": String(bytes.byteLength),
      ...identity(found.digest),
    };
    return { status: 200, headers, body: bytes };
  }

  async #resolve(name: string, tag: string, ask: Ask): Promise<Descriptor> {
    if (!/^\w[\w.-]{0,127}$/.test(tag)) throw unknownManifest(name, tag, "no tag is written so");
    const resolution = await resolveTag(this.#tags, name, tag, asked(ask));
    if (resolution === undefined) throw unknownManifest(name, tag, "there is no such tag here");
    if ("descriptor" in resolution) return resolution.descriptor;
    throw unknownManifest(name, tag, "several registries have this tag, for different content; ask for one in full", {
      candidates: resolution.ambiguous,
    });
  }

  async #readManifest(digest: Digest, name: string, reference: string, { signal }: Ask): Promise<Uint8Array> {
    try {
      return await readMote(this.#source, digest, { maxBytes: maxManifestBytes, signal });
    } catch (error) {
      if (isNotFound(error)) throw unknownManifest(name, reference, "there is no such manifest here");
      const isTooLarge = MoteError.isInstance(error) && error.code === "MOTE_TOO_LARGE";
      if (isTooLarge) throw unknownManifest(name, reference, "what has this digest is too large for a manifest");
      throw error;
    }
  }

  async #blob(name: string, reference: string, ask: Ask): Promise<Answer> {
    const digest = checkDigest(reference);
    const { signal } = ask;
    this.#given.touch(digest);
    const unknown = new Refusal(404, "BLOB_UNKNOWN", "there is no such blob here", { detail: { name, digest } });
    const info = await this.#source.find(digest, { signal });
    if (info === undefined) throw unknown;
    const { size } = info;
    const headers = { "content-type": mediaTypes.octetStream, "accept-ranges": "bytes", ...identity(digest) };
    if (isCurrent(ask, digest)) return notModified(digest);
    if (ask.method === "HEAD") return { status: 200, headers: { ...headers, "content-length": String(size) } };
    const range = mayCut(ask, digest) ? parseRange(ask.header("range"), size) : undefined;
    if (range === "unsatisfiable") {
      throw new Refusal(416, "UNSUPPORTED", `the blob has ${size} bytes`, {
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

  async #tagList(name: string, ask: Ask): Promise<Answer> {
    const tags: string[] = [];
    for await (const { tag } of tagsOf(this.#tags, name, asked(ask))) tags.push(tag);
    if (tags.length === 0) {
      throw new Refusal(404, "NAME_UNKNOWN", "there is no such repository here", { detail: { name } });
    }
    const { entries, link } = cutPage(tags, ask.url);
    return jsonAnswer(200, { name, tags: entries }, link === undefined ? {} : { link });
  }

  async #catalog(ask: Ask): Promise<Answer> {
    const repositories: string[] = [];
    for await (const { name } of this.#tags.list({ signal: ask.signal })) {
      const repository = splitTagName(name)?.repository;
      if (repository !== undefined) repositories.push(repository);
    }
    const { entries, link } = cutPage(repositories, ask.url);
    return jsonAnswer(200, { repositories: entries }, link === undefined ? {} : { link });
  }

  async #referrers(name: string, reference: string, ask: Ask): Promise<Answer> {
    const subject = checkDigest(reference);
    const roots = tagsOf(this.#tags, name, asked(ask));
    const all = await listReferrers(this.#source, roots, subject, { signal: ask.signal });
    const wanted = ask.url.searchParams.get("artifactType");
    const manifests = wanted === null ? all : all.filter(({ artifactType }) => artifactType === wanted);
    return jsonAnswer(
      200,
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
      { "content-type": mediaTypes.ociIndex, ...(wanted === null ? {} : { "oci-filters-applied": "artifactType" }) },
    );
  }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new Refusal(400, "NAME_INVALID", "the path is not percent-encoded UTF-8");
  }
}

const nameGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** distribution-spec, "Pulling manifests": `<name>`. */
function checkName(name: string): string {
  if (name.length <= 255 && nameGrammar.test(name)) return name;
  throw new Refusal(400, "NAME_INVALID", "a repository's name is lower-case letters, digits, and . _ - / between them");
}

function checkDigest(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    throw new Refusal(400, "DIGEST_INVALID", error.message);
  }
}

function unknownManifest(name: string, reference: string, message: string, more: object = {}): Refusal {
  return new Refusal(404, "MANIFEST_UNKNOWN", message, { detail: { name, reference, ...more } });
}

function manifestType(bytes: Uint8Array): string | undefined {
  try {
    return sniffManifestType(bytes);
  } catch (error) {
    if (MoteError.isInstance(error)) return undefined;
    throw error;
  }
}

function asked({ url, signal }: Ask) {
  return { namespace: url.searchParams.get("ns") ?? undefined, signal };
}

function identity(digest: Digest) {
  return { "docker-content-digest": digest, etag: `"${digest}"` };
}

/** RFC 9110, section 13.1.2. */
function isCurrent(ask: Ask, digest: Digest): boolean {
  const tags = ask.header("if-none-match")?.split(",") ?? [];
  return tags.map((tag) => tag.trim()).some((tag) => tag === "*" || tag === `"${digest}"` || tag === `W/"${digest}"`);
}

/** RFC 9110, section 13.1.5: a range only of what the client has the beginning of. */
function mayCut(ask: Ask, digest: Digest): boolean {
  const condition = ask.header("if-range");
  return condition === undefined || condition.trim() === `"${digest}"`;
}

function notModified(digest: Digest): Answer {
  return { status: 304, headers: identity(digest) };
}
