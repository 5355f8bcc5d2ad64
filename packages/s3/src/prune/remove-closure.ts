import { type Cancellable, type Digest, type MoteInfo, mediaTypes, type PruneReport } from "@mote/core";
import { removalErrorCode } from "../http/s3-error.js";
import { removalMs } from "./lease-objects.js";
import type { PruneParts } from "./prune-bucket.js";
import { PruneHolds } from "./prune-holds.js";
import { closureOf, readTaggedImages } from "./tagged-images.js";

/** Removes manifests with their tags and everything that no other tagged image needs. */
export async function removeClosure(
  parts: PruneParts,
  digests: ReadonlySet<Digest>,
  { signal }: Cancellable,
): Promise<PruneReport> {
  const { bucket, keys, tags, images } = parts;
  const { source } = images;
  const holds = new PruneHolds({ ...parts, source }, { dryRun: false });
  const removed: MoteInfo[] = [];
  const skipped: PruneReport["skipped"][number][] = [];
  const untagged: string[] = [];
  try {
    await holds.look({ signal });
    const names = new Map<string, Digest>();
    for await (const { name, descriptor } of tags.list({ signal }))
      if (digests.has(descriptor.digest)) names.set(name, descriptor.digest);
    const others = await readTaggedImages(images, { signal, without: digests });
    const closure = new Set<Digest>();
    for (const digest of digests) {
      const root = await source.find(digest, { signal });
      if (root !== undefined) for (const each of (await closureOf(source, root, { signal })).digests) closure.add(each);
    }
    await holds.look({ signal });
    for (const [name, digest] of names)
      if (holds.reasonFor(digest) === undefined && (await tags.untagIf(name, digest, { signal }))) untagged.push(name);
    const found: MoteInfo[] = [];
    for (const digest of closure) {
      if (others.users.get(digest) !== undefined) continue;
      const info = await source.find(digest, { signal });
      const reason = holds.reasonFor(digest);
      if (info !== undefined && reason !== undefined) skipped.push({ digest, size: info.size, reason });
      else if (info !== undefined) found.push(info);
    }
    const within = AbortSignal.any([AbortSignal.timeout(removalMs), ...(signal === undefined ? [] : [signal])]);
    await holds.look({ signal });
    const free = found.filter(({ digest }) => holds.reasonFor(digest) === undefined);
    const blobs = free.map(({ digest }) => keys.blob(digest));
    const failures = await bucket.removeAll(blobs, "remove images", { signal: within });
    const failed = new Map(failures.map(({ key, code }) => [key, code]));
    for (const { digest, size } of free) {
      const code = failed.get(keys.blob(digest));
      if (code !== undefined) skipped.push({ digest, size, reason: removalErrorCode(code) });
      else removed.push({ digest, size, mediaType: mediaTypes.octetStream });
    }
  } finally {
    await holds.end();
  }
  let remainingBytes = 0;
  for await (const { key, size } of bucket.list(keys.blobs, "list the blobs", { signal }))
    if (keys.blobAt(key) !== undefined) remainingBytes += size;
  const removedBytes = removed.reduce((sum, { size }) => sum + size, 0);
  const reached = skipped.length === 0;
  return { removed, removedBytes, freedBytes: removedBytes, remainingBytes, untagged, skipped, reached, dryRun: false };
}
