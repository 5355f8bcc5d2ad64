import {
  type CallOptions,
  type ContentDestination,
  type Descriptor,
  type Digest,
  isManifestType,
  type ManifestOptions,
  type Ref,
  type RegistryRef,
  untilAborted,
} from "@mote/core";
import type { SentBlobs } from "./sent-blobs.js";

/**
 * A repository as the destination of one of several images: waits for blobs that another image sends to the registry, and mounts them. Dispose
 * of it when the image ended.
 */
export class SharedRepository implements ContentDestination {
  readonly ref: RegistryRef;
  readonly #inner: ContentDestination;
  readonly #blobs: SentBlobs;
  readonly #hints: (digest: Digest) => readonly string[];
  /** The blobs that this image sends. */
  readonly #claims = new Map<Digest, () => void>();
  /** The blobs for which the repository was not asked, because they can be mounted. */
  readonly #unasked = new Set<Digest>();

  /** @param hints returns further repositories that may have a blob */
  constructor(
    inner: ContentDestination,
    ref: RegistryRef,
    blobs: SentBlobs,
    hints: (digest: Digest) => readonly string[] = () => [],
  ) {
    this.#inner = inner;
    this.ref = ref;
    this.#blobs = blobs;
    this.#hints = hints;
  }

  async has(descriptor: Descriptor, options: CallOptions = {}): Promise<boolean> {
    if (isManifestType(descriptor.mediaType)) return this.#inner.has(descriptor, options);
    const { digest } = descriptor;
    for (;;) {
      const known = this.#blobs.repositoriesWith(digest);
      if (known.has(this.ref.repository)) return true;
      if (known.size > 0) {
        this.#unasked.add(digest);
        return false;
      }
      const sending = this.#blobs.sending(digest);
      if (sending === undefined) break;
      await untilAborted(sending, options.signal);
    }
    this.#claims.set(digest, this.#blobs.begin(digest));
    if (!(await this.#inner.has(descriptor, options))) return false;
    this.#sent(digest);
    return true;
  }

  mountSources({ digest }: Descriptor): readonly Ref[] {
    const repositories = new Set([...[...this.#blobs.repositoriesWith(digest)].slice(0, 2), ...this.#hints(digest)]);
    return [...repositories].map((repository) => ({ ...this.ref, repository }));
  }

  async mount(descriptor: Descriptor, candidates: readonly Ref[], options: CallOptions = {}): Promise<boolean> {
    const { digest } = descriptor;
    const isMounted = (await this.#inner.mount?.(descriptor, candidates, options)) ?? false;
    const isThere = isMounted || (this.#unasked.delete(digest) && (await this.#inner.has(descriptor, options)));
    if (isThere) this.#sent(digest);
    return isThere;
  }

  async blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<void> {
    await this.#inner.blob(descriptor, chunks, options);
    this.#sent(descriptor.digest);
  }

  manifest(descriptor: Descriptor, bytes: Uint8Array, options?: ManifestOptions): Promise<void> {
    return this.#inner.manifest(descriptor, bytes, options);
  }

  tag(name: string, descriptor: Descriptor, options?: CallOptions): Promise<void> {
    return this.#inner.tag(name, descriptor, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#claims.values()) end();
    await this.#inner[Symbol.asyncDispose]?.();
  }

  #sent(digest: Digest): void {
    this.#blobs.record(digest, this.ref.repository);
    this.#claims.get(digest)?.();
    this.#claims.delete(digest);
  }
}
