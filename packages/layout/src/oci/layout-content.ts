import {
  type BlobOptions,
  type Cancellable,
  type ContentSource,
  checkImageLayout,
  collectChunks,
  cosignTags,
  type Descriptor,
  type Digest,
  findReferrers,
  hasCode,
  ifFound,
  isManifestType,
  isNotFound,
  type Manifest,
  MoteError,
  type MoteReader,
  maxManifestBytes,
  mediaTypes,
  type PathRef,
  parseDigest,
  parseJsonDocument,
  parseManifest,
  type Ref,
  referrersTag,
  sniffManifestType,
  type Tag,
} from "@mote/core";
import { openBlob } from "../disk/blob-reader.js";
import { hasFile, type NamedFiles, readSmallFile } from "../disk/named-files.js";
import { bestNameOf, describeName, entriesNamed } from "./image-names.js";
import { nameOf, readIndexEntries, withoutName } from "./index-file.js";
import { blobName } from "./layout-paths.js";
import { type ReliedOnBlob, readReliesOn } from "./relies-on.js";
import { type Selector, selectorOf } from "./selector.js";

/** An entry of a layout's index. */
export interface ListedImage {
  /** Its full reference if it has one, or else its name. */
  readonly name: string | undefined;
  /** Without its name. */
  readonly descriptor: Descriptor;
}

/** Files in the OCI image layout (image-spec, image-layout.md), in a folder or archive, as a source. */
export class LayoutContent implements ContentSource {
  readonly ref: PathRef;
  readonly mayLackBlobs = true;
  readonly #files: NamedFiles;
  #checked = false;
  #referrers: ReadonlyMap<Digest, readonly Descriptor[]> | undefined;
  /** Unreadable manifests found by that search. */
  readonly #unread = new Set<Digest>();
  /** The entries of `index.json` at the first search for referrers. */
  #listed: readonly Descriptor[] | undefined;

  constructor(files: NamedFiles, ref: PathRef) {
    this.#files = files;
    this.ref = ref;
  }

  /**
   * Resolves an `org.opencontainers.image.ref.name`; `@0`, the first entry; a digest; or an empty string or reference, the only manifest.
   * @throws MOTE_NOT_FOUND with the tags · MOTE_INVALID_MANIFEST if a tag names several manifests · MOTE_UNSUPPORTED_FORMAT
   */
  async resolve(ref: Ref | string, options: Cancellable = {}): Promise<Descriptor> {
    await this.#assertLayout(options);
    const entries = await readIndexEntries(this.#files, options);
    return withoutName(await this.#select(entries, selectorOf(ref), options));
  }

  /** Lists the entries of `index.json`, in order. @throws MOTE_NOT_FOUND · MOTE_INVALID_MANIFEST · MOTE_UNSUPPORTED_FORMAT */
  async images(options: Cancellable = {}): Promise<readonly ListedImage[]> {
    await this.#assertLayout(options);
    const entries = await readIndexEntries(this.#files, options);
    if (entries.length === 0 && !(await hasFile(this.#files, "index.json", options)))
      throw await this.#noIndex(options);
    return entries.map((entry) => ({ name: bestNameOf(entry), descriptor: withoutName(entry) }));
  }

  /** Lists the blobs that a thin archive was written without. @throws MOTE_UNSUPPORTED_FORMAT · MOTE_INVALID_ARCHIVE */
  reliesOn(options: Cancellable = {}): Promise<readonly ReliedOnBlob[]> {
    return readReliesOn(this.#files, options);
  }

  /** Returns whether it has a file of the blob's size. Its content is not read. */
  async has({ digest, size }: Pick<Descriptor, "digest" | "size">, options: Cancellable = {}): Promise<boolean> {
    const file = await ifFound(this.#files.open(blobName(parseDigest(digest)), options));
    await file?.handle.close();
    return file?.size === size;
  }

  /** @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE · MOTE_CORRUPT */
  async manifest(descriptor: Descriptor, options: Cancellable = {}): Promise<Uint8Array> {
    await using reader = await this.blob(descriptor, options);
    return await collectChunks(reader, { maxBytes: maxManifestBytes, what: descriptor.digest });
  }

  /** Chunks of 1 MiB. @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_CORRUPT while reading */
  async blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    return openBlob(this.#files, blobName(parseDigest(descriptor.digest)), descriptor, options);
  }

  /**
   * Searches all manifests of the layout, including those of an index named `sha256-HEX`, the substitute for the referrers API; of
   * those, also missing ones and other content, so that the caller can report them. Searches once.
   */
  async *referrers(descriptor: Descriptor, options: Cancellable = {}): AsyncGenerator<Descriptor, void, undefined> {
    parseDigest(descriptor.digest);
    this.#referrers ??= await this.#readReferrers(options);
    yield* this.#referrers.get(descriptor.digest) ?? [];
    const tag = referrersTag(descriptor.digest);
    const listing = (await this.#entries(options)).find((entry) => isOrEndsIn(nameOf(entry), tag));
    const manifest = listing && (await this.#readIfManifest(listing, options));
    for (const claim of manifest?.kind === "index" ? manifest.manifests : [])
      if (this.#unread.has(claim.digest)) yield claim;
  }

  /** A name may be a full reference that ends in such a tag. */
  async *taggedReferrers(descriptor: Descriptor, options: Cancellable = {}): AsyncGenerator<Tag, void, undefined> {
    const { digest } = descriptor;
    const tags = cosignTags(parseDigest(digest));
    const entries = await this.#entries(options);
    for (const name of tags) {
      const isNamed = (entry: Descriptor) => isOrEndsIn(nameOf(entry), name);
      const found = entries.find((entry) => nameOf(entry) === name) ?? entries.find(isNamed);
      const isOther = found !== undefined && found.digest !== digest && isManifestType(found.mediaType);
      if (isOther) yield { name, descriptor: withoutName(found) };
    }
  }

  async #entries(options: Cancellable): Promise<readonly Descriptor[]> {
    this.#listed ??= await readIndexEntries(this.#files, options);
    return this.#listed;
  }

  async #readReferrers(options: Cancellable): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
    const entries = await this.#entries(options);
    return await findReferrers(entries.map(withoutName), async (entry) => {
      const manifest = await this.#readIfManifest(entry, options);
      if (manifest === undefined) this.#unread.add(entry.digest);
      return manifest;
    });
  }

  /** Returns undefined for an incomplete image, and for other content: it refers to nothing. */
  async #readIfManifest(entry: Descriptor, options: Cancellable): Promise<Manifest | undefined> {
    try {
      return parseManifest(await this.manifest(entry, options), entry.mediaType);
    } catch (error) {
      if (isNotFound(error) || isUnreadable(error)) return undefined;
      throw error;
    }
  }

  async #select(entries: readonly Descriptor[], selector: Selector, options: Cancellable): Promise<Descriptor> {
    if (selector.digest !== undefined) {
      const { digest } = selector;
      return entries.find((entry) => entry.digest === digest) ?? (await this.#unlisted(digest, options));
    }
    if (selector.tag === undefined) {
      const only = entries[selector.index ?? 0];
      if (only !== undefined && (selector.index !== undefined || areOneManifest(entries))) return only;
      throw this.#absent(selector.index === undefined ? "a single manifest" : `@${selector.index}`, entries);
    }
    const named = entriesNamed(entries, selector.tag);
    const [first] = named;
    if (first === undefined) throw this.#absent(selector.tag, entries);
    if (areOneManifest(named)) return first;
    const { location } = this.#files;
    throw new MoteError(
      "MOTE_INVALID_MANIFEST",
      `"${selector.tag}" names ${named.length} manifests in ${location}: ${named.map(choiceText).join(", ")}; choose one by its digest, its image's name, or by @0, @1, …`,
      { details: { path: location, tag: selector.tag, digests: named.map((entry) => entry.digest) } },
    );
  }

  /** A manifest below an index has no entry of its own. */
  async #unlisted(digest: Digest, options: Cancellable): Promise<Descriptor> {
    const { handle, size } = await this.#files.open(blobName(digest), options);
    await handle.close();
    const bytes = await this.manifest({ digest, size, mediaType: mediaTypes.octetStream }, options);
    return { digest, size, mediaType: sniffManifestType(bytes) };
  }

  async #assertLayout(options: Cancellable): Promise<void> {
    if (this.#checked) return;
    const { location } = this.#files;
    const marker = await this.#marker(options);
    if (marker !== undefined) checkImageLayout(marker, location);
    this.#checked = true;
  }

  /** Returns undefined if the marker is missing or unreadable, and the rest is a layout: it is not needed. */
  async #marker(options: Cancellable): Promise<Uint8Array | undefined> {
    try {
      const marker = await readSmallFile(this.#files, "oci-layout", { ...options, maxBytes: maxManifestBytes });
      if (isJson(marker) || !(await hasFile(this.#files, "index.json", options))) return marker;
      return undefined;
    } catch (cause) {
      if (!isNotFound(cause)) throw cause;
      if (await hasFile(this.#files, "index.json", options)) return undefined;
      await this.#files.assertThere();
      throw await this.#noIndex({ ...options, cause });
    }
  }

  async #noIndex({ signal, cause }: Cancellable & { readonly cause?: unknown }): Promise<MoteError> {
    const { location } = this.#files;
    const isDocker = await hasFile(this.#files, "manifest.json", { signal });
    const advice = isDocker ? "read it as docker-archive:" : "check the path";
    const message = `${location} is not an OCI image layout: it has no index.json; ${advice}`;
    return new MoteError("MOTE_UNSUPPORTED_FORMAT", message, { cause, details: { path: location } });
  }

  #absent(wanted: string, entries: readonly Descriptor[]): MoteError {
    const { location } = this.#files;
    const tags = entries.map(nameOf).filter((name) => name !== undefined);
    const names = entries.map(describeName).filter((name) => name !== undefined);
    const nameless = entries.length - names.length;
    const there = [...names.slice(0, 20).map((tag) => `"${tag}"`), ...(names.length > 20 ? ["…"] : [])];
    if (nameless > 0) there.push(`${nameless} without a name (@0 … @${entries.length - 1})`);
    return new MoteError(
      "MOTE_NOT_FOUND",
      `the layout ${location} does not contain ${wanted}; it contains ${there.join(", ") || "nothing"}`,
      { details: { path: location, wanted, tags } },
    );
  }
}

/** A name may be a full reference that ends in the tag. */
function isOrEndsIn(name: string | undefined, tag: string): boolean {
  return name === tag || (name?.endsWith(`:${tag}`) ?? false);
}

function choiceText(entry: Descriptor): string {
  const name = describeName(entry);
  return name === undefined ? entry.digest : `${entry.digest} as ${name}`;
}

function isJson(bytes: Uint8Array): boolean {
  try {
    parseJsonDocument(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Too large for a manifest, or not one. */
function isUnreadable(error: unknown): boolean {
  return hasCode(error, "MOTE_INVALID_MANIFEST", "MOTE_TOO_LARGE");
}

function areOneManifest(entries: readonly Descriptor[]): boolean {
  return new Set(entries.map((entry) => entry.digest)).size === 1;
}
