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
export async function verifyArchive(reference: string, options: VerifyArchiveOptions = {}): Promise<ArchiveReport> {
  await using content = await openContent(reference);
  const check = new ContentCheck(content, options);
  const incomplete: string[] = [];
  const images = await content.images({ signal: options.signal });
  const reliesOn = await content.reliesOn({ signal: options.signal });
  const relied = new Set(reliesOn.map(({ digest }) => digest));
  for (const { name, descriptor } of images) {
    if (!(await check.image(descriptor, relied))) incomplete.push(name ?? descriptor.digest);
  }
  const { motes, bytes, damaged, missing } = check;
  return {
    images: images.length,
    motes,
    bytes,
    damaged: [...damaged.values()],
    missing: [...missing],
    reliesOn,
    incomplete,
  };
}

class ContentCheck {
  motes = 0;
  bytes = 0;
  readonly damaged = new Map<Digest, { readonly digest: Digest; readonly reason: string }>();
  readonly missing = new Set<Digest>();
  readonly #content: LayoutContent;
  readonly #options: VerifyArchiveOptions;
  /** Whether the content of a digest is there and undamaged. */
  readonly #checked = new Map<Digest, "good" | "bad" | "absent">();

  constructor(content: LayoutContent, options: VerifyArchiveOptions) {
    this.#content = content;
    this.#options = options;
  }

  /** Returns whether everything of an image is good, or relied on. */
  async image(root: Descriptor, relied: ReadonlySet<Digest>): Promise<boolean> {
    const { signal } = this.#options;
    const { digest, mediaType } = root;
    if (!isManifestType(mediaType)) {
      // What it refers to is not known, so nothing of it can be called verified.
      this.damaged.set(digest, { digest, reason: `${mediaType} is not a type of a manifest` });
      return false;
    }
    const { readContentBelow } = await import("@mote/layout");
    let isGood = true;
    const { blobs } = await readContentBelow([root], async (descriptor) => {
      const state = await this.#check(descriptor);
      // Other platforms of an index may be absent.
      if (state === "absent" && descriptor.digest === digest) this.missing.add(digest);
      if (state === "bad" || (state === "absent" && descriptor.digest === digest)) isGood = false;
      if (state !== "good" || !isManifestType(descriptor.mediaType)) return undefined;
      return parseManifest(await this.#content.manifest(descriptor, { signal }), descriptor.mediaType);
    });
    for (const blob of blobs) {
      const state = await this.#check(blob);
      if (state === "good" || (state === "absent" && relied.has(blob.digest))) continue;
      if (state === "absent") this.missing.add(blob.digest);
      isGood = false;
    }
    return isGood;
  }

  async #check(descriptor: Descriptor): Promise<"good" | "bad" | "absent"> {
    const { digest } = descriptor;
    const known = this.#checked.get(digest);
    if (known !== undefined) return known;
    const state = await this.#read(descriptor);
    this.#checked.set(digest, state);
    if (state !== "absent") this.motes++;
    this.#options.onProgress?.({ motes: this.motes, bytes: this.bytes });
    return state;
  }

  async #read(descriptor: Descriptor): Promise<"good" | "bad" | "absent"> {
    const { signal } = this.#options;
    try {
      await using reader = await this.#content.blob(descriptor, { signal, reuse: true });
      for await (const chunk of reader) this.bytes += chunk.byteLength;
      return "good";
    } catch (error) {
      signal?.throwIfAborted();
      if (isNotFound(error)) return "absent";
      if (!hasCode(error, "MOTE_CORRUPT", "MOTE_SIZE_MISMATCH", "MOTE_DIGEST_MISMATCH")) throw error;
      this.damaged.set(descriptor.digest, { digest: descriptor.digest, reason: messageOf(error) });
      return "bad";
    }
  }
}

async function openContent(reference: string): Promise<LayoutContent & AsyncDisposable> {
  const { LayoutSource, OciArchiveSource } = await import("@mote/layout");
  if (!reference.startsWith("oci:")) return new OciArchiveSource(reference.replace(/^oci-archive:/, ""));
  const source = new LayoutSource(reference.slice("oci:".length));
  return Object.assign(source, { [Symbol.asyncDispose]: async () => {} });
}
