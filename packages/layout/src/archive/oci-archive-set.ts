import { existsSync } from "node:fs";
import { type Cancellable, type ContentDestination, type Descriptor, type Digest, isManifestType } from "@mote/core";
import { FolderFiles, type NamedFiles } from "../disk/named-files.js";
import { readContentBelow } from "../oci/content-below.js";
import { mergeIndex, nameOf, readIndexEntries, withoutEntries } from "../oci/index-file.js";
import { contentOnlyBelow, readManifestIn } from "../oci/layout-closure.js";
import { assertName } from "../oci/layout-destination.js";
import { blobName } from "../oci/layout-paths.js";
import { type ReliedOnBlob, readReliesOn, reliesOnName, writeReliesOn } from "../oci/relies-on.js";
import type { ArchiveFiles } from "../tar/archive-files.js";
import type { TarContent } from "../tar/tar-file.js";
import { inOrder, layoutFiles } from "./layout-files.js";
import { OciArchiveDestination } from "./oci-archive-destination.js";
import type { ArchiveDestinationOptions } from "./staged-archive.js";

export interface OciArchiveSetOptions extends ArchiveDestinationOptions {
  /** Returns the names of images that contain the blob where the archive is read; undefined if it is not there. Default: nothing is there. */
  readonly without?: ((digest: Digest) => readonly string[] | undefined) | undefined;
}

/**
 * A tar of an OCI image layout that many transfers write, and `finish` completes. Adds to an existing archive, in which images of the same
 * names are replaced; another file is replaced only with `overwrite`. Contains only what its images refer to; the same images give the same bytes. With `without`, leaves out the blobs that
 * its reader has, and lists them in `relies-on.json`.
 */
export class OciArchiveSet extends OciArchiveDestination implements ContentDestination {
  readonly #without: (digest: Digest) => readonly string[] | undefined;
  readonly #tagged = new Map<string, Descriptor>();

  constructor(file: string, { without = () => undefined, ...options }: OciArchiveSetOptions = {}) {
    super(file, options);
    this.#without = without;
  }

  /** Returns true also for a blob of the existing archive, and for one that is left out. @throws MOTE_UNWRITABLE · MOTE_IO */
  override async has(descriptor: Descriptor, options: Cancellable = {}): Promise<boolean> {
    const { digest, size, mediaType } = descriptor;
    if (!isManifestType(mediaType) && this.#without(digest) !== undefined) return true;
    if (await super.has(descriptor, options)) return true;
    const existing = await this.existing(options);
    return existing !== undefined && (await existing.sizeOf(blobName(digest), options)) === size;
  }

  /** Sets the name when the archive is written. @throws MOTE_INVALID_NAME */
  override async tag(name: string, descriptor: Descriptor): Promise<void> {
    assertName(name, this.path);
    this.#tagged.set(name, descriptor);
  }

  /** Does nothing: `finish` writes the archive. */
  override async commit(): Promise<void> {}

  /**
   * Writes the archive with what was tagged, and without the images named in `remove`. Does nothing if nothing was tagged or removed.
   * @throws MOTE_TIMEOUT · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO · MOTE_INVALID_MANIFEST
   */
  async finish(options: Cancellable & { readonly remove?: ReadonlySet<string> | undefined } = {}): Promise<void> {
    const { remove = new Set<string>(), signal } = options;
    if (this.#tagged.size === 0 && remove.size === 0) return;
    const byName = [...this.#tagged].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, descriptor] of byName) await this.layout.tag(name, descriptor, { signal });
    const dir = this.layout.ref.path;
    await this.pack((existing) => this.#compose(dir, existing, remove, { signal }), { signal });
  }

  async #compose(
    dir: string,
    existing: ArchiveFiles | undefined,
    remove: ReadonlySet<string>,
    options: Cancellable,
  ): Promise<ReadonlyMap<string, TarContent>> {
    const staged = new FolderFiles(dir);
    const sources: NamedFiles[] = existing === undefined ? [staged] : [staged, existing];
    const { entries, index, dropped } = await this.#entries(staged, existing, remove, options);
    const read = (descriptor: Descriptor) => readManifestIn(sources, descriptor, options);
    const below = await readContentBelow(entries, read);
    const all = [...entries, ...below.manifests, ...below.blobs, ...below.absent];
    const needed = new Set(all.map(({ digest }) => blobName(digest)));
    const files = new Map<string, TarContent>();
    for (const [name, content] of existsSync(dir) ? await layoutFiles(dir) : []) {
      if (!name.startsWith("blobs/") || needed.has(name)) files.set(name, content);
    }
    if (index !== undefined) files.set("index.json", { bytes: index });
    for (const name of (await existing?.names(options)) ?? []) {
      if (existing === undefined || files.has(name) || dropped.has(name)) continue;
      files.set(name, { path: this.path, open: () => existing.open(name, options) });
    }
    const relied = await this.#reliedOn(
      below.blobs.filter(({ digest }) => !files.has(blobName(digest))),
      existing,
      options,
    );
    files.delete(reliesOnName);
    if (relied.length > 0) files.set(reliesOnName, { bytes: writeReliesOn(relied) });
    return inOrder(files);
  }

  /** Returns the entries of the archive to write, its `index.json` unless it is the staged one, and the files that are no longer needed. */
  async #entries(
    staged: NamedFiles,
    existing: ArchiveFiles | undefined,
    remove: ReadonlySet<string>,
    options: Cancellable,
  ): Promise<{
    readonly entries: readonly Descriptor[];
    readonly index?: Uint8Array;
    readonly dropped: ReadonlySet<string>;
  }> {
    if (existing === undefined) return { entries: await readIndexEntries(staged, options), dropped: new Set() };
    const merged = await mergeIndex(existing, staged, { ...options, overwrite: true, path: this.path });
    const isRemoved = (entry: Descriptor) => remove.has(nameOf(entry) ?? entry.digest);
    const kept = merged.entries.filter((entry) => !isRemoved(entry));
    const gone = [...merged.replaced, ...merged.entries.filter(isRemoved)];
    const dropped = await contentOnlyBelow(gone, kept, [staged, existing], options);
    return { entries: kept, index: withoutEntries(merged.bytes, isRemoved), dropped };
  }

  async #reliedOn(
    missing: readonly Descriptor[],
    existing: ArchiveFiles | undefined,
    options: Cancellable,
  ): Promise<readonly ReliedOnBlob[]> {
    const before = new Map(
      (existing === undefined ? [] : await readReliesOn(existing, options)).map((blob) => [blob.digest, blob]),
    );
    return missing.map(({ digest, size, mediaType }) => {
      const images = this.#without(digest) ?? before.get(digest)?.images ?? [];
      return { digest, size, mediaType, images };
    });
  }
}
