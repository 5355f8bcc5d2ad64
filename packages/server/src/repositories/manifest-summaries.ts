import {
  type Digest,
  hasCode,
  type MoteSource,
  manifestChildren,
  maxManifestBytes,
  parseManifest,
  readMote,
} from "@mote/core";

/** The fields of a manifest that the server caches. */
export interface ManifestSummary {
  readonly mediaType: string;
  /** In bytes. */
  readonly size: number;
  /** Everything that it refers to, except its subject. */
  readonly children: readonly Digest[];
  /** The manifests among the children. */
  readonly manifests: readonly Digest[];
  readonly subject: Digest | undefined;
}

/** The maximum total number of children that are cached. */
const maxChildren = 200_000;

/** Reads manifests and caches what they refer to. */
export class ManifestSummaries {
  readonly #source: MoteSource;
  readonly #known = new Map<Digest, ManifestSummary>();
  #children = 0;

  constructor(source: MoteSource) {
    this.#source = source;
  }

  /**
   * Returns the summary of a manifest, which is empty for other content; undefined if it is missing or damaged.
   * @throws what the source throws
   */
  async of(digest: Digest): Promise<ManifestSummary | undefined> {
    if (!(await this.#source.moteExists(digest))) return undefined;
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    try {
      const bytes = await readMote(this.#source, digest, { maxBytes: maxManifestBytes, countsAsUse: false });
      return this.#store(digest, summarize(bytes));
    } catch (error) {
      if (hasCode(error, "MOTE_NOT_FOUND", "MOTE_CORRUPT")) return undefined;
      if (hasCode(error, "MOTE_TOO_LARGE", "MOTE_INVALID_MANIFEST")) return this.#store(digest, emptySummary);
      throw error;
    }
  }

  #store(digest: Digest, summary: ManifestSummary): ManifestSummary {
    this.#known.set(digest, summary);
    this.#children += 1 + summary.children.length;
    for (const [oldest, { children }] of this.#known) {
      if (this.#children <= maxChildren || oldest === digest) break;
      this.#known.delete(oldest);
      this.#children -= 1 + children.length;
    }
    return summary;
  }
}

const emptySummary: ManifestSummary = { mediaType: "", size: 0, children: [], manifests: [], subject: undefined };

function summarize(bytes: Uint8Array): ManifestSummary {
  const manifest = parseManifest(bytes);
  const { manifests, blobs, foreign } = manifestChildren(manifest);
  return {
    mediaType: manifest.mediaType,
    size: bytes.byteLength,
    children: [...manifests, ...blobs, ...foreign].map(({ digest }) => digest),
    manifests: manifests.map(({ digest }) => digest),
    subject: manifest.subject?.digest,
  };
}
