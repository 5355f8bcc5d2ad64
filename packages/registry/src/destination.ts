import {
  type Cancellable,
  type ContentDestination,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestBytes,
  isDigest,
  isManifestType,
  MoteError,
  manifestTypes,
  parseDigest,
  parseManifest,
  type Ref,
  type RegistryRef,
} from "@mote/core";
import type { RegistryClient } from "./client.js";
import { checkRepositoryName, isDockerHub, isTagName, placeRef, type RepositoryPlace } from "./place.js";
import { addTaggedReferrer } from "./referrers.js";
import { RepositoryApi } from "./repository-api.js";
import { cancelUpload, uploadBlob, uploadSession } from "./upload.js";

export interface RegistryDestinationOptions {
  /**
   * Bytes. A blob of up to so many is sent in one request, a larger one in pieces of so many; one piece of each blob under way
   * is kept in memory, to be sent again after a fault. Default 8 MiB.
   */
  readonly pieceBytes?: number | undefined;
}

/**
 * One repository on one registry, to write to (distribution-spec, "Push").
 *
 * Beside what each method names, all of them: @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_RATE_LIMITED ·
 * MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_REGISTRY, with `details` `{ registry, repository, reference?, digest?, status? }`.
 */
export class RegistryDestination implements ContentDestination {
  readonly ref: RegistryRef;
  readonly #api: RepositoryApi;
  readonly #pieceBytes: number;
  /** The manifest sent last: as a rule it is the one to be tagged next. */
  #lastManifest: { readonly digest: Digest; readonly bytes: Uint8Array } | undefined;
  /** Manifests that the registry takes under a tag alone, and what it said when they were sent under their digest. */
  readonly #refusedDigests = new Map<Digest, { readonly bytes: Uint8Array; readonly fault: MoteError }>();
  /** Indexes under referrers' tags are read, changed and written back, so one at a time. */
  #referrersWritten: Promise<void> = Promise.resolve();

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(client: RegistryClient, place: RepositoryPlace, options: RegistryDestinationOptions = {}) {
    this.ref = placeRef(place);
    this.#api = new RepositoryApi(client, place);
    this.#pieceBytes = options.pieceBytes ?? 8 * 1024 * 1024;
  }

  async has(descriptor: Descriptor, options: Cancellable = {}): Promise<boolean> {
    const digest = parseDigest(descriptor.digest);
    const kind = isManifestType(descriptor.mediaType) ? "manifests" : "blobs";
    const answer = await this.#api.head(`${kind}/${digest}`, {
      what: digest,
      ...(kind === "manifests" ? { headers: { accept: manifestTypes.join(", ") } } : {}),
      digest,
      actions: "pull,push",
      accepts: (status) => status === 200 || status === 404,
      signal: options.signal,
    });
    const length = answer.header("content-length");
    return answer.status === 200 && (length === undefined || Number(length) === descriptor.size);
  }

  /** Goes on by itself after a fault. @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UPLOAD_LOST */
  async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options: Cancellable = {}): Promise<void> {
    parseDigest(descriptor.digest);
    await uploadBlob(this.#api, descriptor, chunks, { pieceBytes: this.#pieceBytes, signal: options.signal });
  }

  /**
   * Tries the candidates on this registry in their order (distribution-spec, "Mounting a blob from another repository"). A
   * candidate that is refused, for whatever reason, is passed over.
   */
  async mount(descriptor: Descriptor, candidates: readonly Ref[], options: Cancellable = {}): Promise<boolean> {
    const digest = parseDigest(descriptor.digest);
    for (const from of this.#repositoriesHere(candidates)) {
      if (await this.#mountFrom(digest, from, options)) return true;
    }
    return false;
  }

  /**
   * Sends a manifest under its digest; whoever lists the referrers of its subject finds it from then on. Many registries name manifests
   * by sha256 only: one of another digest that is refused waits for its tag.
   * @throws MOTE_DIGEST_MISMATCH · MOTE_INVALID_MANIFEST
   */
  async manifest(descriptor: Descriptor, bytes: Uint8Array, options: Cancellable = {}): Promise<void> {
    const digest = parseDigest(descriptor.digest);
    const actual = digestBytes(bytes, digestAlgorithm(digest));
    if (actual !== digest) {
      throw new MoteError("MOTE_DIGEST_MISMATCH", `the manifest to be sent as ${digest} hashes to ${actual}`, {
        details: { ...this.#api.subject({ digest }), actual },
      });
    }
    const keepsReferrers = await this.#putByDigest(digest, descriptor.mediaType, bytes, options);
    if (keepsReferrers === undefined) return;
    this.#lastManifest = { digest, bytes };
    const manifest = isManifestType(descriptor.mediaType) ? parseManifest(bytes, descriptor.mediaType) : undefined;
    if (manifest?.subject === undefined || keepsReferrers) return;
    const { subject } = manifest;
    const writing = this.#referrersWritten.then(() =>
      addTaggedReferrer(this.#api, subject.digest, descriptor, manifest, options),
    );
    this.#referrersWritten = writing.catch(() => {});
    await writing;
  }

  /**
   * Sets or moves the tag to a manifest that is there. Its own digest is no tag: then nothing is left to do.
   * @throws MOTE_INVALID_NAME · MOTE_NOT_FOUND
   */
  async tag(name: string, descriptor: Descriptor, options: Cancellable = {}): Promise<void> {
    const digest = parseDigest(descriptor.digest);
    const refused = this.#refusedDigests.get(digest);
    if (name === digest && refused !== undefined) throw refused.fault;
    if (name === digest) return;
    if (!isTagName(name)) {
      throw new MoteError(
        "MOTE_INVALID_NAME",
        `"${name.slice(0, 140)}" is no tag of a registry: at most 128 letters, digits, and . _ - between them`,
        { details: this.#api.subject({ digest, reference: name }) },
      );
    }
    const bytes = refused?.bytes ?? (await this.#manifestBytes(digest, options));
    await this.#put(name, descriptor.mediaType, bytes, digest, options);
  }

  /** As `#put`; undefined where the registry has no such digests. */
  async #putByDigest(
    digest: Digest,
    mediaType: string,
    bytes: Uint8Array,
    options: Cancellable,
  ): Promise<boolean | undefined> {
    try {
      return await this.#put(digest, mediaType, bytes, digest, options);
    } catch (fault) {
      const isRefusal = MoteError.isInstance(fault) && manifestRefusals.has(fault.code);
      if (!isRefusal || digestAlgorithm(digest) === "sha256") throw fault;
      this.#refusedDigests.set(digest, { bytes, fault });
      return undefined;
    }
  }

  async #manifestBytes(digest: Digest, options: Cancellable): Promise<Uint8Array> {
    if (this.#lastManifest?.digest === digest) return this.#lastManifest.bytes;
    const what = `manifest ${digest}`;
    const { bytes } = await this.#api.getManifest(digest, { ...options, what, digest, actions: "pull,push" });
    const actual = digestBytes(bytes, digestAlgorithm(digest));
    if (actual !== digest) throw this.#otherDigest(digest, actual);
    return bytes;
  }

  /** True where the registry has understood the manifest's subject (`OCI-Subject`), and so lists it as a referrer itself. */
  #put(
    reference: string,
    mediaType: string,
    bytes: Uint8Array,
    digest: Digest,
    { signal }: Cancellable,
  ): Promise<boolean> {
    const path = `manifests/${reference}`;
    const what = reference === digest ? `manifest ${digest}` : `tag ${reference}`;
    const headers = { "content-type": mediaType };
    const actions = "pull,push";
    return this.#api.send(
      { method: "PUT", path, what, headers, body: bytes, digest, reference, actions, signal },
      (answer) => {
        answer.discard();
        const said = answer.header("docker-content-digest");
        if (isDigest(said) && digestAlgorithm(said) === digestAlgorithm(digest) && said !== digest) {
          throw this.#otherDigest(digest, said);
        }
        return answer.header("oci-subject") !== undefined;
      },
    );
  }

  #repositoriesHere(candidates: readonly Ref[]): ReadonlySet<string> {
    const here = new Set<string>();
    for (const ref of candidates) {
      if (ref.transport !== "docker" || ref.repository === this.#api.repository) continue;
      const registry = isDockerHub(ref.registry) ? "docker.io" : ref.registry;
      if (registry === this.#api.registry) here.add(checkRepositoryName(ref.repository));
    }
    return here;
  }

  async #mountFrom(digest: Digest, from: string, { signal }: Cancellable): Promise<boolean> {
    const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
    try {
      const request = { method: "POST", path: `blobs/uploads/?${query}`, body: new Uint8Array() } as const;
      const what = `a mount of ${digest} from ${from}`;
      return await this.#api.send({ ...request, what, digest, actions: "pull,push", from, signal }, (answer) => {
        answer.discard();
        const session = answer.status === 202 ? uploadSession(this.#api, answer) : undefined;
        if (session !== undefined) cancelUpload(this.#api, session);
        return answer.status === 201;
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (MoteError.isInstance(error) && refusals.has(error.code)) return false;
      throw error;
    }
  }

  #otherDigest(digest: Digest, actual: Digest): MoteError {
    const { registry, repository } = this.#api;
    return new MoteError("MOTE_DIGEST_MISMATCH", `${registry} keeps ${digest} of ${repository} as ${actual}`, {
      details: { ...this.#api.subject({ digest }), actual },
    });
  }
}

/** Of a manifest whose digest is not of the registry's algorithm. */
const manifestRefusals: ReadonlySet<string> = new Set(["MOTE_DIGEST_MISMATCH", "MOTE_REGISTRY"]);

/** Of a mount: the blob has to be uploaded then, and that will tell whether there is more to it. */
const refusals: ReadonlySet<string> = new Set([
  "MOTE_UNAUTHORIZED",
  "MOTE_FORBIDDEN",
  "MOTE_DIGEST_MISMATCH",
  "MOTE_REGISTRY",
]);
