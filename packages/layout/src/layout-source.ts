import { readFile, stat } from "node:fs/promises";
import { resolve as resolvePath } from "node:path";
import {
  type BlobOptions,
  type Cancellable,
  type ContentSource,
  checkImageLayout,
  collectChunks,
  type Descriptor,
  type Digest,
  isDigest,
  MoteError,
  type MoteReader,
  maxManifestBytes,
  mediaTypes,
  type PathRef,
  parseDigest,
  type Ref,
  sniffManifestType,
} from "@mote/core";
import { openBlobReader } from "./blob-reader.js";
import { errorNumber, readFailed } from "./file-error.js";
import { nameOf, readIndexEntries, withoutName } from "./index-file.js";
import { blobPath, markerPath } from "./layout-paths.js";

/** A folder in the OCI image layout (image-spec, image-layout.md) as a place that content comes from. */
export class LayoutSource implements ContentSource {
  readonly ref: PathRef;
  readonly #dir: string;
  #checked = false;

  constructor(dir: string) {
    this.#dir = resolvePath(dir);
    this.ref = { transport: "oci", path: this.#dir };
  }

  /**
   * A tag is an `org.opencontainers.image.ref.name` of `index.json`; `@0` is the first entry there; a digest may also be of a
   * manifest that no entry names. An empty string, or a reference without tag, digest and index, is the only manifest there.
   * @throws MOTE_NOT_FOUND with the tags that are there · MOTE_INVALID_MANIFEST where a tag stands for several manifests
   * @throws MOTE_UNSUPPORTED_FORMAT where the folder is no layout, or of a newer version
   */
  async resolve(ref: Ref | string, options: Cancellable = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted();
    await this.#assertLayout();
    const entries = await readIndexEntries(this.#dir);
    return withoutName(await this.#select(entries, selectorOf(ref), options));
  }

  /** @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE · MOTE_CORRUPT */
  async manifest(descriptor: Descriptor, options: Cancellable = {}): Promise<Uint8Array> {
    await using reader = await this.blob(descriptor, options);
    return await collectChunks(reader, { maxBytes: maxManifestBytes, what: descriptor.digest });
  }

  /** Chunks of 1 MiB. @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_CORRUPT while reading */
  async blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    return openBlobReader(blobPath(this.#dir, parseDigest(descriptor.digest)), descriptor, options);
  }

  async #select(entries: readonly Descriptor[], selector: Selector, options: Cancellable): Promise<Descriptor> {
    if (selector.digest !== undefined) {
      const { digest } = selector;
      return entries.find((entry) => entry.digest === digest) ?? (await this.#unlisted(digest, options));
    }
    if (selector.tag === undefined) {
      const only = entries[selector.index ?? 0];
      if (only !== undefined && (selector.index !== undefined || areOneManifest(entries))) return only;
      throw this.#absent(selector.index === undefined ? "one manifest alone" : `@${selector.index}`, entries);
    }
    const named = entries.filter((entry) => nameOf(entry) === selector.tag);
    const [first] = named;
    if (first === undefined) throw this.#absent(selector.tag, entries);
    if (areOneManifest(named)) return first;
    throw new MoteError(
      "MOTE_INVALID_MANIFEST",
      `"${selector.tag}" names ${named.length} manifests in ${this.#dir}; choose one by its digest, or by @0, @1, …`,
      { details: { path: this.#dir, tag: selector.tag, digests: named.map((entry) => entry.digest) } },
    );
  }

  /** A manifest below an index has no entry of its own. */
  async #unlisted(digest: Digest, options: Cancellable): Promise<Descriptor> {
    const path = blobPath(this.#dir, digest);
    const { size } = await stat(path).catch((error: unknown) => {
      throw readFailed(error, path);
    });
    const bytes = await this.manifest({ digest, size, mediaType: mediaTypes.octetStream }, options);
    return { digest, size, mediaType: sniffManifestType(bytes) };
  }

  async #assertLayout(): Promise<void> {
    if (this.#checked) return;
    const path = markerPath(this.#dir);
    let marker: Uint8Array;
    try {
      marker = await readFile(path);
    } catch (error) {
      const isFolder = await stat(this.#dir).then(
        (stats) => stats.isDirectory(),
        () => false,
      );
      if (errorNumber(error) !== "ENOENT" || !isFolder) throw readFailed(error, isFolder ? path : this.#dir);
      throw new MoteError(
        "MOTE_UNSUPPORTED_FORMAT",
        `${this.#dir} is no OCI image layout: it has no oci-layout file; check the path`,
        { cause: error, details: { path: this.#dir } },
      );
    }
    checkImageLayout(marker, this.#dir);
    this.#checked = true;
  }

  #absent(wanted: string, entries: readonly Descriptor[]): MoteError {
    const tags = entries.map(nameOf).filter((name) => name !== undefined);
    const nameless = entries.length - tags.length;
    const there = [...tags.slice(0, 20).map((tag) => `"${tag}"`), ...(tags.length > 20 ? ["…"] : [])];
    if (nameless > 0) there.push(`${nameless} without a name (@0 … @${entries.length - 1})`);
    return new MoteError(
      "MOTE_NOT_FOUND",
      `there is no ${wanted} in the layout ${this.#dir}; there is ${there.join(", ") || "nothing"}`,
      { details: { path: this.#dir, wanted, tags } },
    );
  }
}

interface Selector {
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
  readonly index?: number | undefined;
}

function selectorOf(ref: Ref | string): Selector {
  if (typeof ref !== "string") {
    const { digest, tag } = ref;
    return {
      digest: digest === undefined ? undefined : parseDigest(digest),
      tag,
      index: "index" in ref ? ref.index : undefined,
    };
  }
  if (isDigest(ref)) return { digest: ref };
  const numbered = /^@(\d{1,9})$/.exec(ref);
  if (numbered) return { index: Number(numbered[1]) };
  return ref === "" ? {} : { tag: ref };
}

function areOneManifest(entries: readonly Descriptor[]): boolean {
  return new Set(entries.map((entry) => entry.digest)).size === 1;
}
