import {
  type BlobOptions,
  BytesReader,
  type CallOptions,
  type ContentSource,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestBytes,
  formatLocation,
  isDigest,
  isManifestType,
  isNotFound,
  type ListOptions,
  MoteError,
  type MoteReader,
  manifestTypes,
  maxManifestBytes,
  parseDigest,
  type Ref,
  type ReferrerSummary,
  type RegistryRef,
  type ResolveOptions,
  sniffManifestType,
  type Tag,
  type TagPage,
  type TimeLimited,
} from "@mote/core";
import type { RegistryClient } from "../client.js";
import { isDockerHub } from "../http/hosts.js";
import { sizeError } from "../reports/protocol-error.js";
import { subjectName } from "../reports/subject.js";
import {
  describedIn,
  type ManifestResponse,
  RepositoryApi,
  type RepositoryApiOptions,
  type RepositoryRequest,
} from "../repository-api.js";
import { isTagName, type RepositoryLocation, repositoryLocation } from "../repository-location.js";
import { openBlob } from "./blob-reader.js";
import { listCosignTags } from "./cosign-tags.js";
import { summarizeReferrers } from "./referrer-summary.js";
import { listReferrers, type ReferrersOptions } from "./referrers.js";
import { listTagPage } from "./tags.js";

/** Besides the one of the manifest: on a distant registry, blobs would wait for the handshakes. */
const spareConnections = 3;

/**
 * One repository on one registry, to read from (distribution-spec, "Pull"). Every method: @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN ·
 * MOTE_RATE_LIMITED · MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_REGISTRY, with `details` `{ registry, repository, reference?, digest?, status? }`
 */
export class RegistryRepository implements ContentSource {
  readonly ref: RegistryRef;
  readonly servesRanges = true;
  readonly #api: RepositoryApi;
  /** Manifests received and checked while resolving names. */
  readonly #resolved = new Map<Digest, Uint8Array>();

  /** Whether bodies were decoded as labelled, where only the digest can tell. */
  readonly #doubts = new Map<Digest, { readonly isCoded: boolean; readonly isSecond: boolean }>();

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(client: RegistryClient, location: RepositoryLocation, options: RepositoryApiOptions = {}) {
    this.ref = repositoryLocation(location);
    this.#api = new RepositoryApi(client, location, options);
  }

  /**
   * Resolves a tag, a digest, or a reference to this repository; the default tag is `latest`.
   * @throws MOTE_NOT_FOUND · MOTE_INVALID_REFERENCE · MOTE_INVALID_MANIFEST · MOTE_DIGEST_MISMATCH
   */
  async resolve(ref: Ref | string, options: ResolveOptions = {}): Promise<Descriptor> {
    const reference = this.referenceOf(ref);
    const request = this.#limited(options);
    if (options.manifestFollows) {
      const spares = options.blobsFollow ? spareConnections : 0;
      const { descriptor, bytes } = await this.#load(reference, { ...request, spares });
      this.#resolved.set(descriptor.digest, bytes);
      return descriptor;
    }
    return (await this.#resolveByHead(reference, request)) ?? (await this.#load(reference, request)).descriptor;
  }

  /** Resolves and returns the manifest, in one request. @throws as `resolve`, and MOTE_TOO_LARGE */
  load(ref: Ref | string, options: TimeLimited = {}): Promise<ResolvedManifest> {
    return this.#load(this.referenceOf(ref), this.#limited(options));
  }

  async #load(reference: string, request: LimitedRequest): Promise<ResolvedManifest> {
    const asked = isDigest(reference) ? reference : undefined;
    const response = await this.#api.getManifest(reference, { ...request, what: nameOf(reference), digest: asked });
    const said = isDigest(response.digest) ? response.digest : undefined;
    const actual = digestBytes(response.bytes, digestAlgorithm(asked ?? said ?? digestBytes(response.bytes)));
    if (asked === undefined && said !== undefined && actual !== said) return this.#loadSaid(said, actual, request);
    if (asked !== undefined && actual !== asked) throw this.#otherDigest(asked, actual);
    return this.#described(response, actual, reference);
  }

  #described(response: ManifestResponse, digest: Digest, reference: string): ResolvedManifest {
    const { bytes } = response;
    return {
      descriptor: { mediaType: this.#manifestType(response, reference), digest, size: bytes.byteLength },
      bytes,
    };
  }

  /** Loads the digest that the registry reported for a tag, as the received bytes have another one. */
  async #loadSaid(said: Digest, actual: Digest, request: LimitedRequest): Promise<ResolvedManifest> {
    let response: ManifestResponse;
    try {
      response = await this.#api.getManifest(said, { ...request, what: nameOf(said), digest: said });
    } catch (error) {
      throw isNotFound(error) ? this.#otherDigest(said, actual) : error;
    }
    this.#checkDigest(response.bytes, said);
    return this.#described(response, said, said);
  }

  async manifest(descriptor: Descriptor, options: TimeLimited = {}): Promise<Uint8Array> {
    const digest = parseDigest(descriptor.digest);
    const what = `manifest ${digest}`;
    const { size } = descriptor;
    const subject = this.#api.subject({ digest });
    if (size > maxManifestBytes) {
      const message = `${subjectName(subject)}: ${what} has ${size} bytes; the bound is ${maxManifestBytes}`;
      throw new MoteError("MOTE_TOO_LARGE", message, { details: { ...subject, size } });
    }
    const bytes = this.#resolved.get(digest) ?? (await this.#getManifest(descriptor, what, this.#limited(options)));
    this.#resolved.delete(digest);
    if (bytes.byteLength !== size) throw sizeError(subject, what, size, bytes.byteLength);
    return bytes;
  }

  /** Opens a blob; after a cut connection it continues at the same byte. @throws MOTE_NOT_FOUND · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH */
  async blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    const { start = 0, end, ranges, verifyOnRead = true, reuse, signal, onEvent } = options;
    const { size, mediaType } = descriptor;
    const digest = parseDigest(descriptor.digest);
    if (!Number.isSafeInteger(start) || start < 0) throw new TypeError(`start is a count of bytes, and not ${start}`);
    if (start > 0 && start >= size) return new BytesReader({ digest, size, mediaType }, new Uint8Array());
    const doubt = this.#doubts.get(digest);
    const onDoubt = (isCoded: boolean) => this.#doubts.set(digest, { isCoded, isSecond: doubt?.isSecond ?? false });
    const coding = { isCoded: doubt?.isCoded, onDoubt };
    const blob = { digest, mediaType, size, start, end, ranges, verify: verifyOnRead, damage: false, reuse };
    return openBlob(this.#api, { ...blob, ...coding, signal, onEvent });
  }

  /** Returns true if the coding was in doubt: the next read assumes the other. */
  reportCorruption({ digest }: Descriptor): boolean {
    const doubt = this.#doubts.get(digest);
    if (doubt === undefined || doubt.isSecond) return false;
    this.#doubts.set(digest, { isCoded: !doubt.isCoded, isSecond: true });
    return true;
  }

  /** Uses the referrers API, or the referrers tag if the registry has no API (distribution-spec, "Listing Referrers"). */
  referrers(descriptor: Descriptor, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    return listReferrers(this.#api, parseDigest(descriptor.digest), options);
  }

  /** Sends a HEAD request for each of cosign's tag names. */
  taggedReferrers(descriptor: Descriptor, options: CallOptions = {}): AsyncIterable<Tag> {
    return listCosignTags(this.#api, parseDigest(descriptor.digest), options);
  }

  summarizeReferrers(descriptor: Descriptor, options: CallOptions = {}): Promise<ReferrerSummary> {
    return summarizeReferrers(this.#api, parseDigest(descriptor.digest), options);
  }

  /** Lists one page of the repository's tags. @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE */
  tags(options: ListOptions = {}): Promise<TagPage> {
    return listTagPage(this.#api, options);
  }

  /** Returns the tag or digest. @throws MOTE_INVALID_REFERENCE for another repository */
  referenceOf(ref: Ref | string): string {
    if (typeof ref === "string") return checkReference(ref);
    if (ref.transport === "docker") {
      const registry = isDockerHub(ref.registry) ? "docker.io" : ref.registry;
      if (registry === this.#api.registry && ref.repository === this.#api.repository) {
        return checkReference(ref.digest ?? ref.tag ?? "latest");
      }
    }
    const asked = formatLocation(ref);
    const here = `${this.#api.registry}/${this.#api.repository}`;
    throw new MoteError("MOTE_INVALID_REFERENCE", `${asked} is not in ${here}`, {
      details: { text: asked, position: 0, reason: "another repository", ...this.#api.subject() },
    });
  }

  /** Returns undefined if HEAD is not fully supported: GET tells why, and finds content that Nexus misses by HEAD. */
  async #resolveByHead(reference: string, request: LimitedRequest): Promise<Descriptor | undefined> {
    const response = await this.#api.head(`manifests/${reference}`, {
      ...request,
      what: nameOf(reference),
      headers: { accept: manifestTypes.join(", ") },
      reference,
      accepts: (status) => status !== 401 && status !== 429,
    });
    const found = describedIn(response, isDigest(reference) ? reference : undefined);
    if (isDigest(reference) && found !== undefined && found.digest !== reference)
      throw this.#otherDigest(reference, found.digest);
    return found;
  }

  #manifestType({ mediaType, bytes }: ManifestResponse, reference: string): string {
    // Caches and proxies may change the label; the body is authoritative.
    if (mediaType === undefined || !isManifestType(mediaType)) return this.#sniffed(bytes, reference, mediaType);
    try {
      return sniffManifestType(bytes, mediaType);
    } catch {
      return mediaType;
    }
  }

  #sniffed(bytes: Uint8Array, reference: string, label: string | undefined): string {
    try {
      return sniffManifestType(bytes);
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      const subject = this.#api.subject({ reference });
      const labelled = label === undefined ? "" : ` (${label})`;
      const message = `${subjectName(subject)}: what it has as ${nameOf(reference)}${labelled} cannot be read as a manifest: ${error.message}`;
      throw new MoteError(error.code, message, { cause: error, details: { ...subject, ...error.details } });
    }
  }

  async #getManifest({ digest, size }: Descriptor, what: string, request: LimitedRequest): Promise<Uint8Array> {
    const { bytes } = await this.#api.getManifest(digest, { ...request, what, digest, size });
    this.#checkDigest(bytes, digest);
    return bytes;
  }

  #limited({ signal, onEvent, timeoutMs }: TimeLimited): LimitedRequest {
    return { signal, onEvent, ...(timeoutMs === undefined ? {} : { until: this.#api.client.clock.now() + timeoutMs }) };
  }

  #checkDigest(bytes: Uint8Array, digest: Digest): void {
    const actual = digestBytes(bytes, digestAlgorithm(digest));
    if (actual !== digest) throw this.#otherDigest(digest, actual);
  }

  #otherDigest(digest: Digest, actual: Digest): MoteError {
    return new MoteError(
      "MOTE_DIGEST_MISMATCH",
      `${this.#api.registry} sent other bytes for ${digest} of ${this.#api.repository}: they hash to ${actual}`,
      { details: { ...this.#api.subject({ digest }), expected: digest, actual } },
    );
  }
}

type LimitedRequest = CallOptions & Pick<RepositoryRequest, "until" | "spares">;

interface ResolvedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

function checkReference(reference: string): string {
  if (isTagName(reference) || isDigest(reference)) return reference;
  if (reference.includes(":")) return parseDigest(reference);
  throw new MoteError(
    "MOTE_INVALID_REFERENCE",
    `"${reference.slice(0, 140)}" is not a valid tag; use at most 128 letters, digits, _ . and -, and do not begin with . or -`,
    { details: { text: reference, position: 0, reason: "not a tag" } },
  );
}

function nameOf(reference: string): string {
  return isDigest(reference) ? `manifest ${reference}` : `tag ${reference}`;
}
