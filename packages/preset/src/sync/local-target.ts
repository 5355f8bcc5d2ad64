import {
  type Cancellable,
  type ContentDestination,
  type Descriptor,
  type Digest,
  isDigest,
  isManifestType,
} from "@mote/core";
import type { LayoutContent, LayoutDestination, OciArchiveSet } from "@mote/layout";
import { overriding } from "../overriding.js";
import { manifestIn } from "../sources/manifest-in.js";
import type { Have } from "./have.js";
import type { SyncTarget } from "./sync-target.js";

export interface LocalPlace {
  /** The destination of all images. */
  readonly destination: LayoutDestination | OciArchiveSet;
  /** Its content before the run; undefined for stdout. */
  readonly content: (LayoutContent & Partial<AsyncDisposable>) | undefined;
  /** The reference of the layout or archive. */
  readonly reference: string;
  /** What the reader of an archive has. */
  readonly have: Have;
}

/** Returns a layout or an archive as the destination of many images. */
export function localTarget({ destination, content, reference, have }: LocalPlace): SyncTarget {
  let named: Promise<ReadonlyMap<string, Digest>> | undefined;
  /** Manifests and blobs that were found to be there. */
  const complete = new Set<Digest>();
  /** Names are set one at a time, so that they do not wait for a lock. */
  let naming: Promise<void> = Promise.resolve();
  let removed: ReadonlySet<string> = new Set();

  const readNames = async (options: Cancellable): Promise<ReadonlyMap<string, Digest>> => {
    try {
      const images = (await content?.images(options)) ?? [];
      return new Map(images.map(({ name, descriptor }) => [name ?? descriptor.digest, descriptor.digest]));
    } catch {
      // The destination reports what it cannot add to.
      options.signal?.throwIfAborted();
      return new Map();
    }
  };

  /** Returns the names that were there before the run. */
  const namesBefore = (options: Cancellable) => {
    named ??= readNames(options);
    return named;
  };

  const isComplete = async (root: Descriptor, { signal }: Cancellable) => {
    if (content === undefined) return false;
    const { readContentBelow } = await import("@mote/layout");
    try {
      const read = (each: Descriptor) => manifestIn(content, each, { signal });
      const { manifests, blobs, absent } = await readContentBelow([root], read);
      if (absent.length > 0 || manifests.length === 0) return false;
      for (const blob of blobs) {
        if (complete.has(blob.digest) || have.imagesWith(blob.digest) !== undefined) continue;
        if (!(await content.has(blob, { signal }))) return false;
        complete.add(blob.digest);
      }
      return true;
    } catch {
      // It is written again.
      signal?.throwIfAborted();
      return false;
    }
  };

  return {
    isRegistry: false,
    unreadable: have.unreadable,
    locate: ({ full }) => `${reference}${isDigest(full) ? "@" : ":"}${full}`,
    async isCurrent({ full }, descriptor, { nameOnly = false, signal }) {
      if ((await namesBefore({ signal })).get(full) !== descriptor.digest) return false;
      return nameOnly || isComplete(descriptor, { signal });
    },
    async open(name) {
      const inner: ContentDestination = destination;
      return overriding(inner, {
        has: async (descriptor, options = {}) => {
          if (!isManifestType(descriptor.mediaType)) await have.probe(descriptor, name, options);
          return inner.has(descriptor, options);
        },
        tag: (tag, descriptor, options) => {
          const setting = naming.then(() => inner.tag(tag, descriptor, options));
          naming = setting.catch(() => {});
          return setting;
        },
        // Completed and disposed of when all images are there.
        ...{ commit: undefined, decompressedBlobs: undefined, [Symbol.asyncDispose]: undefined },
      });
    },
    hasReliedOn: (_name, descriptor, _reliedOn, options) => destination.has(descriptor, options),
    async others(kept, options) {
      const names = new Set(kept.map(({ full }) => full));
      const all = [...(await namesBefore(options)).keys()].sort();
      const found = all.filter((name) => !names.has(name) && !isDigest(name));
      return found.map((name) => ({
        destination: `${reference}:${name}`,
        tag: name.slice(name.lastIndexOf(":") + 1),
      }));
    },
    async remove(names, options) {
      removed = new Set(names.map((name) => name.destination.slice(reference.length + 1)));
      if (!("finish" in destination)) await destination.untag(removed, options);
      return new Map();
    },
    async finish(options) {
      if ("finish" in destination) await destination.finish({ ...options, remove: removed });
    },
    async [Symbol.asyncDispose]() {
      await destination[Symbol.asyncDispose]();
      await content?.[Symbol.asyncDispose]?.();
    },
  };
}
