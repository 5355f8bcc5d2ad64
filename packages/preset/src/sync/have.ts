import fs from "node:fs";
import { type Cancellable, type Descriptor, type Digest, MoteError, type Ref } from "@mote/core";
import type { Parts } from "../parts.js";
import { hasTransport } from "../references/plain-paths.js";
import { manifestIn } from "../sources/manifest-in.js";
import { listing } from "../sources/source-pool.js";
import { readHaveLines } from "./have-lines.js";
import type { ImageName } from "./image-name.js";
import { type RegistryPrefix, readRegistryPrefix, repositoriesBelow } from "./registry-prefix.js";
import type { UnreadableLines } from "./types.js";

/** How many names of images are remembered for a blob. */
const maxNames = 8;

/** What the reader of an archive has. */
export interface Have {
  /** The lines of exports that were ignored, because they are not valid. */
  readonly unreadable: readonly UnreadableLines[];
  /** Returns the names of images that contain the blob; undefined if it is not known to be there. */
  imagesWith(digest: Digest): readonly string[] | undefined;
  /** Asks the registries for a blob, in the image's repository below their prefix. @throws as the registries */
  probe(descriptor: Descriptor, name: ImageName, options: Cancellable): Promise<void>;
}

/**
 * Reads archives, layouts, files with one digest per line, and exports of blob-info caches, by paths or references. Registries (`docker://`) are asked
 * for each blob. @throws MOTE_NOT_FOUND · MOTE_INVALID_ARCHIVE · MOTE_IO · as `readHaveLines`
 */
export async function readHave(
  texts: readonly string[],
  { endpoints, references }: Parts,
  options: Cancellable,
): Promise<Have> {
  const { signal } = options;
  const images = new Map<Digest, Set<string>>();
  const registries: RegistryPrefix[] = [];
  const unreadable: UnreadableLines[] = [];

  const record = (digest: Digest, name: string | undefined) => {
    const names = images.get(digest) ?? new Set();
    images.set(digest, names);
    if (name !== undefined && names.size < maxNames) names.add(name);
  };

  /** Adds the blobs of all images, those that a thin archive relies on included. */
  const addLocation = async (ref: Ref) => {
    const source = await endpoints.source(ref);
    try {
      const lists = listing(source);
      const tagged = ref.tag === undefined && ref.digest === undefined;
      const listed =
        lists === undefined || !tagged
          ? [{ name: ref.tag, descriptor: await source.resolve(ref, { signal }) }]
          : await lists.images({ signal });
      const reliedOn = lists !== undefined && "reliesOn" in lists ? await lists.reliesOn({ signal }) : [];
      const relied = new Set(reliedOn.map(({ digest }) => digest));
      const { readContentBelow } = await import("@mote/layout");
      for (const { name, descriptor } of listed) {
        const { blobs } = await readContentBelow([descriptor], (each) => manifestIn(source, each, { signal }));
        for (const blob of blobs) {
          const isThere = relied.has(blob.digest) || !("has" in source) || (await hasBlob(source, blob, { signal }));
          if (isThere) record(blob.digest, name);
        }
      }
    } finally {
      await source[Symbol.asyncDispose]?.();
    }
  };

  for (const text of texts) {
    if (text.startsWith("docker://")) registries.push(await readRegistryPrefix(text));
    else if (hasTransport(text)) await addLocation(references.parseMovable(text, "source"));
    else {
      const kind = fs.statSync(text, { throwIfNoEntry: false });
      if (kind === undefined) throw notThere(text);
      const { isArchiveFile } = await import("@mote/layout");
      if (kind.isDirectory()) await addLocation({ transport: "oci", path: text });
      else if (isArchiveFile(text)) await addLocation({ transport: "oci-archive", path: text });
      else {
        const lines = await readHaveLines(text, { signal, onBlob: ({ digest, name }) => record(digest, name) });
        if (lines !== undefined) unreadable.push(lines);
      }
    }
  }
  return {
    unreadable,
    imagesWith(digest) {
      const names = images.get(digest);
      return names && [...names];
    },
    async probe(descriptor, name, probing) {
      if (registries.length === 0 || images.has(descriptor.digest)) return;
      for (const ref of registries.flatMap((where) => repositoriesBelow(where, name))) {
        const destination = await endpoints.destination(ref);
        if (await destination.has(descriptor, { signal: probing.signal })) return record(descriptor.digest, name.full);
      }
    },
  };
}

async function hasBlob(source: object, blob: Descriptor, options: Cancellable): Promise<boolean> {
  const { has } = source as { has?: (descriptor: Descriptor, options: Cancellable) => Promise<boolean> };
  return (await has?.call(source, blob, options)) ?? true;
}

function notThere(path: string): MoteError {
  const message = `cannot read ${path} (--without): it does not exist; check the path, or write docker://HOST`;
  return new MoteError("MOTE_NOT_FOUND", message, { details: { path } });
}
