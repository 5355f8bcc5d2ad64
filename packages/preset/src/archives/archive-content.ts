import {
  type Cancellable,
  type Descriptor,
  type Digest,
  hasCode,
  isIndexType,
  isManifestType,
  isNotFound,
  messageOf,
  parseManifest,
} from "@mote/core";
import type { LayoutContent, ReliedOnBlob } from "@mote/layout";
import { manifestIn } from "../sources/manifest-in.js";

export interface ArchivedImage {
  /** Undefined for a manifest without a name. */
  readonly name: string | undefined;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly kind: "image" | "index";
  /** Bytes of its manifests and blobs, those that it lacks included. */
  readonly size: number;
  /** Bytes of them that are in the archive. */
  readonly storedBytes: number;
}

/** The images of an archive or a layout. */
export interface ArchiveListing {
  readonly images: readonly ArchivedImage[];
  /** Blobs and manifests, each once, and their bytes. */
  readonly motes: number;
  readonly bytes: number;
  /** The blobs that a thin archive was written without. */
  readonly reliesOn: readonly ReliedOnBlob[];
}

export interface ArchiveReport {
  readonly images: number;
  /** Blobs and manifests that were read, and their bytes. */
  readonly motes: number;
  readonly bytes: number;
  readonly damaged: readonly { readonly digest: Digest; readonly reason: string }[];
  /** What images need and the archive lacks, except what it relies on and other platforms. */
  readonly missing: readonly Digest[];
  readonly reliesOn: readonly ReliedOnBlob[];
  /** Images with damaged or missing content. */
  readonly incomplete: readonly string[];
}

export interface VerifyArchiveOptions extends Cancellable {
  readonly onProgress?: ((progress: { readonly motes: number; readonly bytes: number }) => void) | undefined;
}

/**
 * Lists the images of a layout (`oci:DIR`) or an archive. `reference` is a path of an archive, or a reference without a name.
 * @throws MOTE_NOT_FOUND · MOTE_INVALID_ARCHIVE · MOTE_CORRUPT if a part is damaged · MOTE_INVALID_MANIFEST · MOTE_IO
 */
export async function listArchive(reference: string, options: Cancellable = {}): Promise<ArchiveListing> {
  await using content = await openContent(reference);
  const { readContentBelow } = await import("@mote/layout");
  const images: ArchivedImage[] = [];
  const stored = new Map<Digest, number>();
  for (const { name, descriptor } of await content.images(options)) {
    const below = await readContentBelow([descriptor], (each) => manifestIn(content, each, options));
    let [size, storedBytes] = [0, 0];
    for (const each of [...below.manifests, ...below.blobs]) {
      size += each.size;
      if (!stored.has(each.digest) && !(await content.has(each, options))) continue;
      stored.set(each.digest, each.size);
      storedBytes += each.size;
    }
    const { digest, mediaType } = descriptor;
    images.push({ name, digest, mediaType, kind: isIndexType(mediaType) ? "index" : "image", size, storedBytes });
  }
  const bytes = [...stored.values()].reduce((sum, size) => sum + size, 0);
  return { images, motes: stored.size, bytes, reliesOn: await content.reliesOn(options) };
}

/** Reads all content of the images of a layout or an archive, and compares it with its digests. @throws as `listArchive` */
export async function verifyArchive(
  reference: string,
  { onProgress, signal }: VerifyArchiveOptions = {},
): Promise<ArchiveReport> {
  await using content = await openContent(reference);
  const { readContentBelow } = await import("@mote/layout");
  const images = await content.images({ signal });
  const reliesOn = await content.reliesOn({ signal });
  const relied = new Set(reliesOn.map(({ digest }) => digest));
  const damaged = new Map<Digest, { readonly digest: Digest; readonly reason: string }>();
  const missing = new Set<Digest>();
  const incomplete: string[] = [];
  /** Whether the content of a digest is there and undamaged. */
  const states = new Map<Digest, "good" | "bad" | "absent">();
  let [motes, bytes] = [0, 0];

  const read = async (descriptor: Descriptor) => {
    const { digest } = descriptor;
    try {
      await using reader = await content.blob(descriptor, { signal, reuse: true });
      for await (const chunk of reader) bytes += chunk.byteLength;
      return "good";
    } catch (error) {
      signal?.throwIfAborted();
      if (isNotFound(error)) return "absent";
      if (!hasCode(error, "MOTE_CORRUPT", "MOTE_SIZE_MISMATCH", "MOTE_DIGEST_MISMATCH")) throw error;
      damaged.set(digest, { digest, reason: messageOf(error) });
      return "bad";
    }
  };

  const check = async (descriptor: Descriptor) => {
    const known = states.get(descriptor.digest);
    if (known !== undefined) return known;
    const state = await read(descriptor);
    states.set(descriptor.digest, state);
    if (state !== "absent") motes++;
    onProgress?.({ motes, bytes });
    return state;
  };

  /** Returns whether everything of an image is good, or relied on. */
  const isGood = async (root: Descriptor) => {
    const { digest, mediaType } = root;
    if (!isManifestType(mediaType)) {
      // What it refers to is not known, so nothing of it can be called verified.
      damaged.set(digest, { digest, reason: `${mediaType} is not a type of a manifest` });
      return false;
    }
    let good = true;
    const { blobs } = await readContentBelow([root], async (descriptor) => {
      const state = await check(descriptor);
      // Other platforms of an index may be absent.
      const isMissing = state === "absent" && descriptor.digest === digest;
      if (isMissing) missing.add(digest);
      if (state === "bad" || isMissing) good = false;
      if (state !== "good" || !isManifestType(descriptor.mediaType)) return undefined;
      return parseManifest(await content.manifest(descriptor, { signal }), descriptor.mediaType);
    });
    for (const blob of blobs) {
      const state = await check(blob);
      if (state === "good" || (state === "absent" && relied.has(blob.digest))) continue;
      if (state === "absent") missing.add(blob.digest);
      good = false;
    }
    return good;
  };

  for (const { name, descriptor } of images) {
    if (!(await isGood(descriptor))) incomplete.push(name ?? descriptor.digest);
  }
  const found = { damaged: [...damaged.values()], missing: [...missing], reliesOn, incomplete };
  return { images: images.length, motes, bytes, ...found };
}

async function openContent(reference: string): Promise<LayoutContent & AsyncDisposable> {
  const { LayoutSource, OciArchiveSource } = await import("@mote/layout");
  if (!reference.startsWith("oci:")) return new OciArchiveSource(reference.replace(/^oci-archive:/, ""));
  const source = new LayoutSource(reference.slice("oci:".length));
  return Object.assign(source, { [Symbol.asyncDispose]: async () => {} });
}
