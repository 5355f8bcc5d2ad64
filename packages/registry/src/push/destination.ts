import {
  type CallOptions,
  type ContentDestination,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestBytes,
  isManifestType,
  type ManifestOptions,
  MoteError,
  parseDigest,
  parseManifest,
  type Ref,
  type RegistryRef,
} from "@mote/core";
import type { RegistryClient } from "../client.js";
import { isDockerHub } from "../http/hosts.js";
import { RepositoryApi } from "../repository-api.js";
import { checkRepositoryName, isTagName, type RepositoryLocation, repositoryLocation } from "../repository-location.js";
import { findBlob, findManifest, hashManifest } from "./presence.js";
import { putManifest, putTag, storedAsOther } from "./put-manifest.js";
import { addTaggedReferrer, hasReferrersApi } from "./referrers-tag.js";
import { uploadBlob } from "./upload.js";
import { UploadQuirks } from "./upload-quirks.js";
import { cancelUpload, uploadSession } from "./upload-session.js";

export interface RegistryDestinationOptions {
  /** Chunk size in bytes for larger blobs; one chunk per blob is kept in memory, to retry after an error. Default 8 MiB. */
  readonly chunkBytes?: number | undefined;
}

/**
 * One repository on one registry, to write to (distribution-spec, "Push"). Every method: @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN ·
 * MOTE_RATE_LIMITED · MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_REGISTRY, with `details` `{ registry, repository, reference?, digest?, status? }`
 */
export class RegistryDestination implements ContentDestination {
  readonly ref: RegistryRef;
  readonly #api: RepositoryApi;
  readonly #chunkBytes: number;
  readonly #quirks = new UploadQuirks();
  /** The manifest sent last: usually the next to be tagged. */
  #lastManifest: { readonly digest: Digest; readonly bytes: Uint8Array } | undefined;
  /** Manifests that the registry accepts only under a tag, and its response to the attempt by digest. */
  readonly #refusedDigests = new Map<Digest, { readonly bytes: Uint8Array; readonly error: MoteError }>();
  /** Manifests waiting for their tag. */
  readonly #held = new Map<Digest, Uint8Array>();
  /** Manifests that the registry accepted by digest. */
  readonly #accepted = new Set<Digest>();
  /** Manifests whose subject the registry confirmed. */
  readonly #listedByRegistry = new Set<Digest>();
  #referrersApi: Promise<boolean> | undefined;
  /** Indexes under referrers' tags are updated one at a time. */
  #referrersWritten: Promise<void> = Promise.resolve();

  /** @throws MOTE_INVALID_REFERENCE */
  constructor(client: RegistryClient, location: RepositoryLocation, options: RegistryDestinationOptions = {}) {
    this.ref = repositoryLocation(location);
    this.#api = new RepositoryApi(client, location);
    this.#chunkBytes = options.chunkBytes ?? 8 * 1024 * 1024;
  }

  /** Returns false also if unknown: then it is sent. */
  async has(descriptor: Descriptor, options: CallOptions = {}): Promise<boolean> {
    const digest = parseDigest(descriptor.digest);
    const { signal, onEvent } = options;
    const request = { actions: "pull,push", signal, onEvent } as const;
    if (!isManifestType(descriptor.mediaType)) return (await findBlob(this.#api, descriptor, request)) === true;
    return (await findManifest(this.#api, digest, digest, request)) === digest;
  }

  /**
   * Uploads a blob, and continues after an error. @throws MOTE_SIZE_MISMATCH · MOTE_UPLOAD_LOST · MOTE_DIGEST_MISMATCH, with
   * `details.mayResend` if the chunks may not match; a repeated call sends one request
   */
  async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options: CallOptions = {}): Promise<void> {
    parseDigest(descriptor.digest);
    const { signal, onEvent } = options;
    const quirks = this.#quirks;
    await uploadBlob(this.#api, descriptor, chunks, { chunkBytes: this.#chunkBytes, quirks, signal, onEvent });
  }

  /** Tries the candidates in order (distribution-spec, "Mounting a blob from another repository"); skips those that fail. */
  async mount(descriptor: Descriptor, candidates: readonly Ref[], options: CallOptions = {}): Promise<boolean> {
    const digest = parseDigest(descriptor.digest);
    for (const from of this.#repositoriesHere(candidates)) {
      if (await this.#mountFrom(digest, from, options)) return true;
    }
    return false;
  }

  /**
   * Sends a missing manifest by digest, or only by tag if one follows, like other clients: Nexus may accept it only once. A
   * manifest rejected for a digest other than sha256 also waits for its tag. @throws MOTE_DIGEST_MISMATCH · MOTE_INVALID_MANIFEST
   */
  async manifest(descriptor: Descriptor, bytes: Uint8Array, options: ManifestOptions = {}): Promise<void> {
    const { tagFollows = false, signal, onEvent } = options;
    const digest = parseDigest(descriptor.digest);
    const actual = digestBytes(bytes, digestAlgorithm(digest));
    if (actual !== digest) {
      throw new MoteError("MOTE_DIGEST_MISMATCH", `the manifest to be sent as ${digest} hashes to ${actual}`, {
        details: { ...this.#api.subject({ digest }), actual },
      });
    }
    const isThere =
      (await findManifest(this.#api, digest, digest, { actions: "pull,push", signal, onEvent })) === digest;
    if (!isThere && tagFollows) {
      this.#held.set(digest, bytes);
      return;
    }
    if (isThere || (await this.#putByDigest(descriptor, bytes, { signal, onEvent }))) {
      await this.#afterPut(descriptor, bytes, { isThere, signal, onEvent });
    }
  }

  /** Sets or moves the tag to an existing manifest. Ignores its own digest. @throws MOTE_INVALID_NAME · MOTE_NOT_FOUND · MOTE_EXISTS */
  async tag(name: string, descriptor: Descriptor, options: CallOptions = {}): Promise<void> {
    const digest = parseDigest(descriptor.digest);
    const held = this.#held.get(digest);
    if (name === digest && held !== undefined) {
      if (!(await this.#putByDigest(descriptor, held, options))) throw this.#refusedDigests.get(digest)?.error;
      return this.#afterPut(descriptor, held, options);
    }
    const refused = this.#refusedDigests.get(digest);
    if (name === digest && refused !== undefined) throw refused.error;
    if (name === digest) return;
    if (!isTagName(name)) {
      throw new MoteError(
        "MOTE_INVALID_NAME",
        `"${name.slice(0, 140)}" is not a valid tag; use at most 128 letters, digits, _ . and -, and do not begin with . or -`,
        { details: this.#api.subject({ digest, reference: name }) },
      );
    }
    const load = async () => held ?? refused?.bytes ?? (await this.#manifestBytes(digest, options));
    const isTaken = async () =>
      this.#accepted.has(digest) || (held !== undefined && this.#isTaken(descriptor, held, options));
    const saysSubject = await putTag(this.#api, name, descriptor, { load, isTaken }, options);
    if (held === undefined) return;
    if (saysSubject) this.#listedByRegistry.add(digest);
    await this.#afterPut(descriptor, held, options);
  }

  /** Adds a referrer to the index, unless the registry does so: some send `OCI-Subject` without having the API. */
  async #afterPut(
    descriptor: Descriptor,
    bytes: Uint8Array,
    { isThere = false, signal, onEvent }: CallOptions & { readonly isThere?: boolean },
  ): Promise<void> {
    const { digest, mediaType } = descriptor;
    this.#held.delete(digest);
    this.#lastManifest = { digest, bytes };
    const manifest = isManifestType(mediaType) ? parseManifest(bytes, mediaType) : undefined;
    if (manifest?.subject === undefined) return;
    const { subject } = manifest;
    const mayBeListed = isThere || this.#listedByRegistry.has(digest);
    if (mayBeListed && (await this.#hasReferrersApi(subject.digest, { signal, onEvent }))) return;
    const writing = this.#referrersWritten.then(() =>
      addTaggedReferrer(this.#api, subject.digest, descriptor, manifest, { signal, onEvent }),
    );
    this.#referrersWritten = writing.catch(() => {});
    await writing;
  }

  /** Returns whether the registry accepts the manifest by digest, so that an error is about the tag. */
  async #isTaken(descriptor: Descriptor, bytes: Uint8Array, options: CallOptions): Promise<boolean> {
    try {
      return await this.#putByDigest(descriptor, bytes, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (MoteError.isInstance(error)) return false;
      throw error;
    }
  }

  /** Returns false if such digests are unsupported. */
  async #putByDigest(descriptor: Descriptor, bytes: Uint8Array, options: CallOptions): Promise<boolean> {
    const { digest } = descriptor;
    try {
      if (await putManifest(this.#api, digest, descriptor, bytes, options)) this.#listedByRegistry.add(digest);
      this.#accepted.add(digest);
      return true;
    } catch (error) {
      const isError = MoteError.isInstance(error) && manifestErrors.has(error.code);
      if (!isError) throw error;
      // Nexus sends 404 to HEAD for manifests it has, and can be set to store each only once.
      if ((await hashManifest(this.#api, digest, digest, { ...options, actions: "pull,push" })) === digest) {
        this.#accepted.add(digest);
        return true;
      }
      if (digestAlgorithm(digest) === "sha256") throw error;
      this.#refusedDigests.set(digest, { bytes, error });
      return false;
    }
  }

  /** Requested once. */
  #hasReferrersApi(subject: Digest, options: CallOptions): Promise<boolean> {
    this.#referrersApi ??= hasReferrersApi(this.#api, subject, options).catch((error: unknown) => {
      this.#referrersApi = undefined;
      throw error;
    });
    return this.#referrersApi;
  }

  async #manifestBytes(digest: Digest, options: CallOptions): Promise<Uint8Array> {
    if (this.#lastManifest?.digest === digest) return this.#lastManifest.bytes;
    const what = `manifest ${digest}`;
    const { bytes } = await this.#api.getManifest(digest, { ...options, what, digest, actions: "pull,push" });
    const actual = digestBytes(bytes, digestAlgorithm(digest));
    if (actual !== digest) throw storedAsOther(this.#api, digest, actual);
    return bytes;
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

  async #mountFrom(digest: Digest, from: string, { signal, onEvent }: CallOptions): Promise<boolean> {
    const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
    try {
      const request = { method: "POST", path: `blobs/uploads/?${query}`, body: new Uint8Array() } as const;
      const what = `a mount of ${digest} from ${from}`;
      return await this.#api.send(
        { ...request, what, digest, actions: "pull,push", from, signal, onEvent },
        (response) => {
          response.discard();
          // A response of any status with an upload location began an upload.
          const session = uploadSession(this.#api, response);
          if (session !== undefined) cancelUpload(this.#api, session);
          return response.status === 201 && session === undefined;
        },
      );
    } catch (error) {
      signal?.throwIfAborted();
      if (MoteError.isInstance(error) && mountErrors.has(error.code)) return false;
      throw error;
    }
  }
}

/** The manifest's digest uses an unsupported algorithm. */
const manifestErrors: ReadonlySet<string> = new Set(["MOTE_DIGEST_MISMATCH", "MOTE_REGISTRY"]);

/** After a mount fails, the blob is uploaded, which reports any real error. */
const mountErrors: ReadonlySet<string> = new Set([
  "MOTE_UNAUTHORIZED",
  "MOTE_FORBIDDEN",
  "MOTE_DIGEST_MISMATCH",
  "MOTE_REGISTRY",
]);
