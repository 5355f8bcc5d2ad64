import {
  type Digest,
  isNotFound,
  MoteError,
  type MoteSource,
  manifestChildren,
  maxManifestBytes,
  parseManifest,
  readMote,
} from "@mote/core";

/** What a server remembers of a manifest, which never changes. */
export interface ManifestFacts {
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  /** All that it refers to. Not its subject. */
  readonly children: readonly Digest[];
  /** Those of them that are manifests. */
  readonly manifests: readonly Digest[];
  readonly subject: Digest | undefined;
}

/** Children of all manifests that are remembered. */
const mostChildren = 200_000;

/** Reads manifests, and remembers what they refer to. */
export class ManifestFactsReader {
  readonly #source: MoteSource;
  readonly #known = new Map<Digest, ManifestFacts>();
  #children = 0;

  constructor(source: MoteSource) {
    this.#source = source;
  }

  /**
   * Undefined where the manifest is not there, or damaged. What is not a manifest refers to nothing.
   * @throws what the source throws
   */
  async of(digest: Digest): Promise<ManifestFacts | undefined> {
    if (!(await this.#source.moteExists(digest))) return undefined;
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    try {
      const bytes = await readMote(this.#source, digest, { maxBytes: maxManifestBytes, countsAsUse: false });
      return this.#remember(digest, factsOf(bytes));
    } catch (error) {
      const code = MoteError.isInstance(error) ? error.code : undefined;
      if (isNotFound(error) || code === "MOTE_CORRUPT") return undefined;
      if (code === "MOTE_TOO_LARGE" || code === "MOTE_INVALID_MANIFEST") return this.#remember(digest, nothing);
      throw error;
    }
  }

  #remember(digest: Digest, facts: ManifestFacts): ManifestFacts {
    this.#known.set(digest, facts);
    this.#children += 1 + facts.children.length;
    for (const [oldest, { children }] of this.#known) {
      if (this.#children <= mostChildren || oldest === digest) break;
      this.#known.delete(oldest);
      this.#children -= 1 + children.length;
    }
    return facts;
  }
}

const nothing: ManifestFacts = { mediaType: "", size: 0, children: [], manifests: [], subject: undefined };

function factsOf(bytes: Uint8Array): ManifestFacts {
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
