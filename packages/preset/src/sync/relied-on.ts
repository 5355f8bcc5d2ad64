import {
  type Cancellable,
  type ContentSource,
  type Descriptor,
  type Digest,
  formatLocation,
  MoteError,
} from "@mote/core";
import type { Parts } from "../parts.js";
import { manifestIn } from "../sources/manifest-in.js";
import { listing } from "../sources/source-pool.js";
import { type ImageName, nameOfEntry } from "./image-name.js";
import type { ReliedOn, SyncTarget } from "./sync-target.js";

const maxShown = 20;

/** Returns what a thin archive relies on; nothing for another source. @throws MOTE_UNSUPPORTED_FORMAT · MOTE_INVALID_ARCHIVE */
export async function readReliedOn(
  source: ContentSource,
  options: Cancellable,
): Promise<ReadonlyMap<Digest, ReliedOn>> {
  const lists = listing(source);
  if (lists === undefined || !("reliesOn" in lists)) return new Map();
  const blobs = await lists.reliesOn(options);
  return new Map(
    blobs.map(({ digest, size, images }) => [
      digest,
      { size, images: images.map((name) => nameOfEntry(name, digest)) },
    ]),
  );
}

export interface ReliedOnContext extends Cancellable {
  readonly name: ImageName;
  readonly reliedOn: ReadonlyMap<Digest, ReliedOn>;
  readonly target: SyncTarget;
  readonly parts: Parts;
}

/** Checks that everything that an image of a thin archive lacks is at the destination or in the cache. @throws MOTE_NOT_FOUND with the digests */
export async function assertReliedOn(
  source: ContentSource,
  root: Descriptor,
  { name, reliedOn, target, parts, signal }: ReliedOnContext,
): Promise<void> {
  if (reliedOn.size === 0) return;
  const { readContentBelow } = await import("@mote/layout");
  const { blobs } = await readContentBelow([root], (descriptor) => manifestIn(source, descriptor, { signal }));
  const missing: Digest[] = [];
  for (const blob of blobs) {
    const known = reliedOn.get(blob.digest);
    if (known === undefined) continue;
    const isThere =
      (await target.hasReliedOn(name, blob, known, { signal })) ||
      (await parts.cache.moteExists(blob.digest, { signal }));
    if (!isThere) missing.push(blob.digest);
  }
  if (missing.length === 0) return;
  const where = source.ref === undefined ? "the archive" : formatLocation(source.ref);
  const shown = [
    ...missing.slice(0, maxShown),
    ...(missing.length > maxShown ? [`${missing.length - maxShown} more`] : []),
  ];
  const it = missing.length === 1 ? "it" : "them";
  const message = `${where} was written without ${shown.join(", ")}, and the destination and the cache do not have ${it} either; sync an archive that contains ${it} first`;
  throw new MoteError("MOTE_NOT_FOUND", message, { details: { missing } });
}
