import {
  type BlobOptions,
  type CallOptions,
  type ContentSource,
  type Descriptor,
  type Digest,
  digestBytes,
  formatPlatform,
  isIndexType,
  isRecord,
  labelOf,
  MoteError,
  type MoteReader,
  PlatformMatcher,
  parseJsonDocument,
  parseManifest,
  parsePlatform,
  type Ref,
  type ResolveOptions,
  type Tag,
  type TimeLimited,
} from "@mote/core";

export interface SelectedPlatformsOptions {
  readonly platforms: readonly string[];
  /** Whether to replace the index by one of the selected images only: registries reject incomplete indexes. */
  readonly newIndex: boolean;
}

/** The original index of an image, and the one that is moved. */
export interface SelectedIndex {
  readonly original: Descriptor;
  readonly bytes: Uint8Array;
  readonly moved: Descriptor;
}

/** Reads selected platforms of an image. A single image is read unchanged. */
export class SelectedPlatforms implements ContentSource {
  readonly ref: Ref | undefined;
  readonly #source: ContentSource;
  readonly #options: SelectedPlatformsOptions;
  readonly #unselected = new Set<Digest>();
  #newBytes: Uint8Array | undefined;
  #index: SelectedIndex | undefined;

  constructor(source: ContentSource, options: SelectedPlatformsOptions) {
    this.#source = source;
    this.ref = source.ref;
    this.#options = options;
  }

  /** Undefined before `resolve`, and for a single image. */
  get index(): SelectedIndex | undefined {
    return this.#index;
  }

  get servesRanges(): boolean {
    return this.#source.servesRanges ?? false;
  }

  get mayLackBlobs(): boolean {
    return this.#source.mayLackBlobs ?? false;
  }

  /** @throws MOTE_NO_PLATFORM if the index lacks a selected platform */
  async resolve(ref: Ref | string, options?: ResolveOptions): Promise<Descriptor> {
    const original = await this.#source.resolve(ref, options);
    if (!isIndexType(original.mediaType)) return original;
    const bytes = await this.#source.manifest(original, options);
    const selected = this.#select(original, bytes);
    const moved = this.#options.newIndex ? this.#makeIndex(original, bytes, selected) : original;
    this.#index = { original, bytes, moved };
    return moved;
  }

  async manifest(descriptor: Descriptor, options?: TimeLimited): Promise<Uint8Array> {
    const { digest } = descriptor;
    if (digest === this.#index?.moved.digest) return this.#newBytes ?? this.#index.bytes;
    if (!this.#unselected.has(digest)) return this.#source.manifest(descriptor, options);
    throw new MoteError("MOTE_NOT_FOUND", `${digest} is for a platform that is not selected`, { details: { digest } });
  }

  blob(descriptor: Descriptor, options?: BlobOptions): Promise<MoteReader> {
    return this.#source.blob(descriptor, options);
  }

  servedBy(descriptor: Descriptor): Ref | undefined {
    return this.#source.servedBy === undefined ? this.ref : this.#source.servedBy(descriptor);
  }

  reportCorruption(descriptor: Descriptor): boolean {
    return this.#source.reportCorruption?.(descriptor) ?? false;
  }

  async *referrers(descriptor: Descriptor, options?: CallOptions): AsyncGenerator<Descriptor> {
    if (!this.#isNew(descriptor)) yield* this.#source.referrers?.(descriptor, options) ?? [];
  }

  async *taggedReferrers(descriptor: Descriptor, options?: CallOptions): AsyncGenerator<Tag> {
    if (!this.#isNew(descriptor)) yield* this.#source.taggedReferrers?.(descriptor, options) ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]?.();
  }

  /** Returns whether it is the new index, which has no referrers. */
  #isNew({ digest }: Descriptor): boolean {
    return this.#newBytes !== undefined && digest === this.#index?.moved.digest;
  }

  #select(root: Descriptor, bytes: Uint8Array): ReadonlySet<Digest> {
    const manifest = parseManifest(bytes, root.mediaType);
    const entries = manifest.kind === "index" ? manifest.manifests : [];
    const selected = new Set<Digest>();
    for (const text of this.#options.platforms) selected.add(bestOf(root, entries, text).digest);
    // Attestations are selected with their image.
    for (const { digest, annotations } of entries) {
      const image = annotations?.["vnd.docker.reference.digest"];
      if ([...selected].some((each) => each === image)) selected.add(digest);
      if (!selected.has(digest)) this.#unselected.add(digest);
    }
    return selected;
  }

  #makeIndex(original: Descriptor, bytes: Uint8Array, selected: ReadonlySet<Digest>): Descriptor {
    const body = parseJsonDocument(bytes);
    if (!isRecord(body) || !Array.isArray(body.manifests)) throw new TypeError("not an index");
    const manifests = body.manifests.filter((entry) => isRecord(entry) && selected.has(entry.digest as Digest));
    this.#newBytes = new TextEncoder().encode(JSON.stringify({ ...body, manifests }));
    return { ...original, digest: digestBytes(this.#newBytes), size: this.#newBytes.byteLength };
  }
}

function bestOf(root: Descriptor, entries: readonly Descriptor[], text: string): Descriptor {
  const [best] = new PlatformMatcher(parsePlatform(text)).bestFirst(entries);
  if (best !== undefined) return best;
  const platforms = entries
    .flatMap((entry) => labelOf(entry) ?? [])
    .map(formatPlatform)
    .slice(0, 24);
  throw new MoteError("MOTE_NO_PLATFORM", `${root.digest} has no platform ${text}; it has ${platforms.join(", ")}`, {
    details: { digest: root.digest, wanted: text, platforms },
  });
}
