import {
  type Cancellable,
  type ContentDestination,
  type Descriptor,
  type Digest,
  isDigest,
  isManifestType,
} from "@mote/core";
import type { LayoutContent, LayoutDestination, OciArchiveSet } from "@mote/layout";
import { manifestIn } from "../sources/manifest-in.js";
import type { Have } from "./have.js";
import type { ImageName } from "./image-name.js";
import type { ReliedOn, RemovableName, SyncTarget } from "./sync-target.js";
import type { UnreadableLines } from "./types.js";

/** The destination of all images, and its content before the run; undefined for stdout. */
export interface LocalPlace {
  readonly destination: LayoutDestination | OciArchiveSet;
  readonly content: (LayoutContent & Partial<AsyncDisposable>) | undefined;
  /** The reference of the layout or archive. */
  readonly reference: string;
  /** What the reader of an archive has. */
  readonly have: Have;
}

/** A layout or an archive as the destination of many images. */
export class LocalTarget implements SyncTarget {
  readonly isRegistry = false;
  readonly #place: LocalPlace;
  #named: Promise<ReadonlyMap<string, Digest>> | undefined;
  /** Manifests and blobs that were found to be there. */
  readonly #complete = new Set<Digest>();
  /** Names are set one at a time, so that they do not wait for a lock. */
  #naming: Promise<void> = Promise.resolve();
  #removed: ReadonlySet<string> = new Set();

  constructor(place: LocalPlace) {
    this.#place = place;
  }

  get unreadable(): readonly UnreadableLines[] {
    return this.#place.have.unreadable;
  }

  locate({ full }: ImageName): string {
    const { reference } = this.#place;
    return isDigest(full) ? `${reference}@${full}` : `${reference}:${full}`;
  }

  async isCurrent(
    { full }: ImageName,
    descriptor: Descriptor,
    { nameOnly = false, signal }: Cancellable & { readonly nameOnly?: boolean | undefined },
  ): Promise<boolean> {
    const { digest } = descriptor;
    if ((await this.#names({ signal })).get(full) !== digest) return false;
    return nameOnly || this.#isComplete(descriptor, { signal });
  }

  async open(name: ImageName): Promise<ContentDestination> {
    const { destination, have } = this.#place;
    return {
      ref: destination.ref,
      has: async (descriptor, options = {}) => {
        if (!isManifestType(descriptor.mediaType)) await have.probe(descriptor, name, options);
        return destination.has(descriptor, options);
      },
      blob: (descriptor, chunks, options) => destination.blob(descriptor, chunks, options),
      linkable: (descriptor) => destination.linkable(descriptor),
      manifest: (descriptor, bytes, options) => destination.manifest(descriptor, bytes, options),
      tag: (tag, descriptor, options) => {
        const naming = this.#naming.then(() => destination.tag(tag, descriptor, options));
        this.#naming = naming.catch(() => {});
        return naming;
      },
    };
  }

  async hasReliedOn(
    _name: ImageName,
    descriptor: Descriptor,
    _reliedOn: ReliedOn,
    options: Cancellable,
  ): Promise<boolean> {
    return this.#place.destination.has(descriptor, options);
  }

  async others(kept: readonly ImageName[], options: Cancellable): Promise<readonly RemovableName[]> {
    const names = new Set(kept.map(({ full }) => full));
    const all = [...(await this.#names(options)).keys()].sort();
    const found = all.filter((name) => !names.has(name) && !isDigest(name));
    const { reference } = this.#place;
    return found.map((name) => ({ destination: `${reference}:${name}`, tag: name.slice(name.lastIndexOf(":") + 1) }));
  }

  async remove(names: readonly RemovableName[], options: Cancellable): Promise<ReadonlyMap<string, string>> {
    const { destination, reference } = this.#place;
    const removed = new Set(names.map((name) => name.destination.slice(reference.length + 1)));
    if ("finish" in destination) this.#removed = removed;
    else await destination.untag(removed, options);
    return new Map();
  }

  async finish(options: Cancellable): Promise<void> {
    const { destination } = this.#place;
    if ("finish" in destination) await destination.finish({ ...options, remove: this.#removed });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place.destination[Symbol.asyncDispose]();
    await this.#place.content?.[Symbol.asyncDispose]?.();
  }

  /** Returns the names that were there before the run. */
  #names(options: Cancellable): Promise<ReadonlyMap<string, Digest>> {
    this.#named ??= this.#readNames(options);
    return this.#named;
  }

  async #readNames(options: Cancellable): Promise<ReadonlyMap<string, Digest>> {
    try {
      const images = (await this.#place.content?.images(options)) ?? [];
      return new Map(images.map(({ name, descriptor }) => [name ?? descriptor.digest, descriptor.digest]));
    } catch {
      // The destination reports what it cannot add to.
      options.signal?.throwIfAborted();
      return new Map();
    }
  }

  async #isComplete(root: Descriptor, { signal }: Cancellable): Promise<boolean> {
    const { content, have } = this.#place;
    if (content === undefined) return false;
    const { readContentBelow } = await import("@mote/layout");
    try {
      const { manifests, blobs, absent } = await readContentBelow([root], (each) =>
        manifestIn(content, each, { signal }),
      );
      if (absent.length > 0 || manifests.length === 0) return false;
      for (const blob of blobs) {
        if (this.#complete.has(blob.digest) || have.imagesWith(blob.digest) !== undefined) continue;
        if (!(await content.has(blob, { signal }))) return false;
        this.#complete.add(blob.digest);
      }
      return true;
    } catch {
      // It is written again.
      signal?.throwIfAborted();
      return false;
    }
  }
}
