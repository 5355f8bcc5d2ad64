import {
  type ContentSource,
  type Descriptor,
  type Digest,
  digestBytes,
  formatPlatform,
  isIndexType,
  isRecord,
  labelOf,
  MoteError,
  PlatformMatcher,
  parseJsonDocument,
  parseManifest,
  parsePlatform,
} from "@mote/core";
import { overriding } from "../overriding.js";

export interface SelectedPlatformsOptions {
  readonly platforms: readonly string[];
  /** Whether to replace the index by one of the selected images only: registries reject incomplete indexes. */
  readonly newIndex: boolean;
}

/** The original index of an image, and the one that is moved. */
interface SelectedIndex {
  readonly original: Descriptor;
  readonly bytes: Uint8Array;
  readonly moved: Descriptor;
}

export interface SelectedPlatforms {
  /** Reads the selected platforms. Its `resolve` throws MOTE_NO_PLATFORM if the index lacks one. */
  readonly source: ContentSource;
  /** Returns undefined before `resolve`, and for a single image, which is read unchanged. */
  index(): SelectedIndex | undefined;
}

/** Selects platforms of an image. */
export function selectPlatforms(
  source: ContentSource,
  { platforms, newIndex }: SelectedPlatformsOptions,
): SelectedPlatforms {
  let unselected: ReadonlySet<Digest> = new Set();
  let found: (SelectedIndex & { readonly movedBytes: Uint8Array }) | undefined;
  /** A new index has no referrers. */
  const hasReferrers = ({ digest }: Descriptor) => !newIndex || digest !== found?.moved.digest;
  const selected = overriding(source, {
    async resolve(ref, options) {
      const original = await source.resolve(ref, options);
      if (!isIndexType(original.mediaType)) return original;
      const bytes = await source.manifest(original, options);
      const entries = select(original, bytes, platforms);
      const wanted = new Set(entries.flatMap(({ digest, isSelected }) => (isSelected ? digest : [])));
      unselected = new Set(entries.flatMap(({ digest }) => (wanted.has(digest) ? [] : digest)));
      const movedBytes = newIndex ? indexWithout(bytes, unselected) : bytes;
      const moved = newIndex ? { ...original, digest: digestBytes(movedBytes), size: movedBytes.byteLength } : original;
      found = { original, bytes, moved, movedBytes };
      return moved;
    },
    async manifest(descriptor, options) {
      const { digest } = descriptor;
      if (digest === found?.moved.digest) return found.movedBytes;
      if (!unselected.has(digest)) return source.manifest(descriptor, options);
      throw new MoteError("MOTE_NOT_FOUND", `${digest} is for a platform that is not selected`, {
        details: { digest },
      });
    },
    async *referrers(descriptor, options) {
      if (hasReferrers(descriptor)) yield* source.referrers?.(descriptor, options) ?? [];
    },
    async *taggedReferrers(descriptor, options) {
      if (hasReferrers(descriptor)) yield* source.taggedReferrers?.(descriptor, options) ?? [];
    },
  });
  return { source: selected, index: () => found };
}

function select(root: Descriptor, bytes: Uint8Array, platforms: readonly string[]) {
  const manifest = parseManifest(bytes, root.mediaType);
  const entries = manifest.kind === "index" ? manifest.manifests : [];
  const images = new Set<string>(platforms.map((text) => bestOf(root, entries, text).digest));
  // Attestations are selected with their image.
  return entries.map(({ digest, annotations }) => ({
    digest,
    isSelected: images.has(digest) || images.has(annotations?.["vnd.docker.reference.digest"] ?? ""),
  }));
}

function indexWithout(bytes: Uint8Array, unselected: ReadonlySet<Digest>): Uint8Array {
  const body = parseJsonDocument(bytes);
  if (!isRecord(body) || !Array.isArray(body.manifests)) throw new TypeError("not an index");
  const manifests = body.manifests.filter((entry) => isRecord(entry) && !unselected.has(entry.digest as Digest));
  return new TextEncoder().encode(JSON.stringify({ ...body, manifests }));
}

function bestOf(root: Descriptor, entries: readonly Descriptor[], text: string): Descriptor {
  const [best] = new PlatformMatcher(parsePlatform(text)).bestFirst(entries);
  if (best !== undefined) return best;
  const platforms = entries
    .flatMap((entry) => labelOf(entry) ?? [])
    .map(formatPlatform)
    .slice(0, 24);
  throw new MoteError("MOTE_NO_PLATFORM", `${root.digest} has no platform ${text}; it has ${platforms.join(", ")}`, {
    details: { digest: root.digest, wanted: text, platforms },
  });
}
