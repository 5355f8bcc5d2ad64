import fs from "node:fs";
import { type Cancellable, type Descriptor, type Digest, MoteError, type Ref } from "@mote/core";
import type { Parts } from "../parts.js";
import { hasTransport } from "../references/plain-paths.js";
import { manifestIn } from "../sources/manifest-in.js";
import { readHaveLines } from "./have-lines.js";
import type { ImageName } from "./image-name.js";
import { type RegistryPrefix, readRegistryPrefix, repositoriesBelow } from "./registry-prefix.js";
import { listing } from "./source-pool.js";
import type { UnreadableLines } from "./types.js";

/** How many names of images are remembered for a blob. */
const maxNames = 8;

/** What the reader of an archive has. */
export class Have {
  readonly #images = new Map<Digest, Set<string>>();
  readonly #registries: RegistryPrefix[] = [];
  readonly #unreadable: UnreadableLines[] = [];
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Reads archives, layouts, files with a digest a line, and exports of blob-info caches, by paths or references. Registries (`docker://`) are asked
   * for each blob. @throws MOTE_NOT_FOUND · MOTE_INVALID_ARCHIVE · MOTE_IO · as `readHaveLines`
   */
  static async read(texts: readonly string[], parts: Parts, options: Cancellable): Promise<Have> {
    const have = new Have(parts);
    for (const text of texts) await have.#add(text, options);
    return have;
  }

  /** The lines of exports that were ignored, because they are not valid. */
  get unreadable(): readonly UnreadableLines[] {
    return this.#unreadable;
  }

  /** Returns the names of images that contain the blob; undefined if it is not known to be there. */
  imagesWith(digest: Digest): readonly string[] | undefined {
    const names = this.#images.get(digest);
    return names && [...names];
  }

  /** Asks the registries for a blob, in the image's repository below their prefix. @throws as the registries */
  async probe(descriptor: Descriptor, name: ImageName, { signal }: Cancellable): Promise<void> {
    if (this.#registries.length === 0 || this.#images.has(descriptor.digest)) return;
    for (const where of this.#registries) {
      for (const ref of repositoriesBelow(where, name)) {
        const destination = await this.#parts.endpoints.destination(ref);
        if (await destination.has(descriptor, { signal })) return this.#record(descriptor.digest, name.full);
      }
    }
  }

  async #add(text: string, options: Cancellable): Promise<void> {
    const { references } = this.#parts;
    if (text.startsWith("docker://")) {
      this.#registries.push(await readRegistryPrefix(text));
      return;
    }
    if (hasTransport(text)) return this.#addLocation(references.parseMovable(text, "source"), options);
    const kind = fs.statSync(text, { throwIfNoEntry: false });
    if (kind === undefined) {
      throw new MoteError(
        "MOTE_NOT_FOUND",
        `cannot read ${text} (--without): it does not exist; check the path, or write docker://HOST`,
        {
          details: { path: text },
        },
      );
    }
    if (kind.isDirectory()) return this.#addLocation({ transport: "oci", path: text }, options);
    const { isArchiveFile } = await import("@mote/layout");
    if (isArchiveFile(text)) return this.#addLocation({ transport: "oci-archive", path: text }, options);
    const onBlob = ({ digest, name }: { readonly digest: Digest; readonly name?: string | undefined }) =>
      this.#record(digest, name);
    const unreadable = await readHaveLines(text, { ...options, onBlob });
    if (unreadable !== undefined) this.#unreadable.push(unreadable);
  }

  /** Adds the blobs of all images, those that a thin archive relies on included. */
  async #addLocation(ref: Ref, { signal }: Cancellable): Promise<void> {
    const source = await this.#parts.endpoints.source(ref);
    try {
      const lists = listing(source);
      const tagged = ref.tag === undefined && ref.digest === undefined;
      const images =
        lists === undefined || !tagged
          ? [{ name: ref.tag, descriptor: await source.resolve(ref, { signal }) }]
          : await lists.images({ signal });
      const reliedOn = lists !== undefined && "reliesOn" in lists ? await lists.reliesOn({ signal }) : [];
      const relied = new Set(reliedOn.map(({ digest }) => digest));
      const { readContentBelow } = await import("@mote/layout");
      for (const { name, descriptor } of images) {
        const { blobs } = await readContentBelow([descriptor], (each) => manifestIn(source, each, { signal }));
        for (const blob of blobs) {
          const isThere = relied.has(blob.digest) || !("has" in source) || (await hasBlob(source, blob, { signal }));
          if (isThere) this.#record(blob.digest, name);
        }
      }
    } finally {
      await source[Symbol.asyncDispose]?.();
    }
  }

  #record(digest: Digest, name: string | undefined): void {
    const names = this.#images.get(digest) ?? new Set();
    this.#images.set(digest, names);
    if (name !== undefined && names.size < maxNames) names.add(name);
  }
}

async function hasBlob(source: object, blob: Descriptor, options: Cancellable): Promise<boolean> {
  const { has } = source as { has?: (descriptor: Descriptor, options: Cancellable) => Promise<boolean> };
  return (await has?.call(source, blob, options)) ?? true;
}
