import {
  type Descriptor,
  type Digest,
  describeReferrer,
  ifFound,
  isManifestType,
  isNotFound,
  MoteError,
  manifestChildren,
  type Ref,
  refersTo,
} from "@mote/core";
import { allExist, contentExists } from "./content-exists.js";
import type { Root } from "./find-roots.js";
import { assertIndexDepth, assertReferrerDepth, assertWithin, graphLimits } from "./graph-limits.js";
import type { Job } from "./job.js";
import type { LoadedManifest, ManifestLoader } from "./manifest-loader.js";
import { ReferrerSearch, reasonToSkip } from "./referrer-search.js";
import type { TransferredReferrer } from "./report.js";

export interface PlannedBlob {
  readonly descriptor: Descriptor;
  /** The locations of the first reference that contains it. */
  readonly from: Ref | undefined;
  readonly to: Ref | undefined;
}

export interface Graph {
  /** Groups of manifests. Everything that a manifest refers to, its subject included, is in an earlier group. */
  readonly manifests: readonly (readonly LoadedManifest[])[];
  /** The blobs to move, each digest once, the largest first. */
  readonly blobs: readonly PlannedBlob[];
  /** Foreign layers, which are not moved. */
  readonly foreign: readonly Descriptor[];
  readonly referrers: readonly TransferredReferrer[];
  /** Manifests that indexes list but the source does not have. */
  readonly missing: ReadonlyMap<Digest, Descriptor>;
}

interface Node extends PlannedBlob {
  readonly indexDepth: number;
  /** The number of referrers between it and a root. */
  readonly referrerDepth: number;
  /** The subjects of a listed referrer, one of which it must refer to. Undefined if it is moved unconditionally. */
  readonly claims?: readonly Digest[] | undefined;
}

/**
 * Reads the manifests below the roots, each once. Entries of an index that are not manifests become blobs; missing entries are omitted.
 * @throws MOTE_INVALID_MANIFEST for deeply nested indexes or contradicting sizes of a blob · MOTE_TOO_LARGE with the limit
 */
export async function readGraph(
  job: Job,
  loader: ManifestLoader,
  roots: readonly Root[],
  options: { readonly referrers: boolean },
): Promise<Graph> {
  const reader = new GraphReader(job, loader, options.referrers ? new ReferrerSearch(job) : undefined);
  return await reader.read(roots);
}

class GraphReader {
  readonly #job: Job;
  readonly #loader: ManifestLoader;
  readonly #search: ReferrerSearch | undefined;
  readonly #loaded = new Map<Digest, LoadedManifest>();
  readonly #blobs = new Map<Digest, PlannedBlob>();
  readonly #foreign = new Map<Digest, Descriptor>();
  readonly #referrers = new Map<Digest, PlannedBlob & Pick<Node, "referrerDepth">>();
  readonly #tags = new Map<string, Descriptor>();
  readonly #missing = new Map<Digest, Descriptor>();
  #next: Node[] = [];

  constructor(job: Job, loader: ManifestLoader, search: ReferrerSearch | undefined) {
    this.#job = job;
    this.#loader = loader;
    this.#search = search;
  }

  async read(roots: readonly Root[]): Promise<Graph> {
    this.#next = roots.map((root) => ({ ...root, indexDepth: 0, referrerDepth: 0 }));
    // The name in the cache refers to the index, so the referrers of the index are needed as well.
    const isIndexNamed = this.#job.destination === undefined;
    for (const root of isIndexNamed ? roots : []) {
      for (const { descriptor } of root.indexes)
        await this.#findReferrers({ ...root, descriptor, indexDepth: 0, referrerDepth: 0 });
    }
    while (this.#next.length > 0) {
      const level = this.#unread(this.#next);
      assertWithin("manifests", this.#loaded.size + level.length);
      this.#next = [];
      await this.#job.forEach(level, (node) => this.#readOne(node));
    }
    const { size } = new Set([...this.#blobs.keys(), ...this.#foreign.keys()]);
    assertWithin("blobs", size);
    this.#search?.reportSkipped(new Set(this.#loaded.keys()));
    return {
      manifests: groupManifests([roots, ...this.#referrersByDepth()], this.#loaded),
      blobs: [...this.#blobs.values()].sort((a, b) => b.descriptor.size - a.descriptor.size),
      foreign: [...this.#foreign.values()].filter(({ digest }) => !this.#blobs.has(digest)),
      referrers: this.#movedReferrers(),
      missing: this.#missing,
    };
  }

  /** Removes duplicates and manifests that are already read. Merges the claims of a referrer that several subjects list. */
  #unread(nodes: readonly Node[]): readonly Node[] {
    const unread = new Map<Digest, Node>();
    for (const node of nodes) {
      const { digest } = node.descriptor;
      if (this.#loaded.has(digest)) continue;
      const other = unread.get(digest);
      const claims = other?.claims && node.claims ? [...other.claims, ...node.claims] : undefined;
      unread.set(digest, other === undefined ? node : { ...other, claims });
    }
    return [...unread.values()];
  }

  async #readOne(node: Node): Promise<void> {
    const { descriptor, claims } = node;
    assertIndexDepth(node.indexDepth, descriptor.digest);
    const isReferrer = node.referrerDepth > 0 && node.indexDepth === 0;
    if (node.indexDepth > 0 && !(await this.#exists(descriptor))) {
      this.#missing.set(descriptor.digest, descriptor);
      return;
    }
    const found = isReferrer ? await this.#loadReferrer(descriptor) : await this.#loadBelow(node);
    if (found === undefined) return;
    // Registries may list manifests that do not refer to the subject.
    if (claims !== undefined && !claims.some((subject) => refersTo(found.manifest, subject))) return;
    if (claims !== undefined) this.#referrers.set(descriptor.digest, { ...node, descriptor: found.descriptor });
    this.#loaded.set(descriptor.digest, found);
    const { from, to, referrerDepth } = node;
    const children = manifestChildren(found.manifest);
    for (const child of children.manifests) {
      this.#next.push({ descriptor: child, from, to, indexDepth: node.indexDepth + 1, referrerDepth });
    }
    for (const child of children.foreign) this.#foreign.set(child.digest, child);
    for (const child of children.blobs) this.#addBlob({ descriptor: child, from, to });
    assertWithin("blobs", Math.max(this.#blobs.size, this.#foreign.size));
    await this.#findReferrers(node);
  }

  #addBlob(blob: PlannedBlob): void {
    const { digest } = blob.descriptor;
    this.#blobs.set(digest, checkSameSize(this.#blobs.get(digest), blob));
  }

  /** Returns whether the source has an entry of an index with all its content. */
  async #exists(descriptor: Descriptor): Promise<boolean> {
    try {
      const found = await this.#loader.loadEntry(descriptor);
      const content = found === undefined ? [descriptor] : manifestChildren(found.manifest).blobs;
      return await allExist(this.#job, content);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#job.signal.throwIfAborted();
      // A registry stores content that is not a manifest as a blob.
      return !isManifestType(descriptor.mediaType) && (await contentExists(this.#job, descriptor));
    }
  }

  /** Loads a manifest; returns undefined if it is moved as a blob instead. */
  async #loadBelow(node: Node): Promise<LoadedManifest | undefined> {
    const { descriptor, indexDepth, from, to } = node;
    if (indexDepth === 0) return await this.#loader.load(descriptor);
    const found = await ifFound(this.#loader.loadEntry(descriptor));
    if (found === undefined) this.#addBlob({ descriptor, from, to });
    if (found?.isOpaque) {
      this.#job.notice(
        `${descriptor.digest} has the unknown media type ${descriptor.mediaType}; moving it without what it may refer to`,
      );
    }
    return found;
  }

  /** Loads a referrer; skips it and returns undefined if it cannot be moved. */
  async #loadReferrer(descriptor: Descriptor): Promise<LoadedManifest | undefined> {
    try {
      return await this.#loader.loadListed(descriptor);
    } catch (error) {
      this.#job.signal.throwIfAborted();
      const reason = reasonToSkip(error);
      if (reason === undefined) throw error;
      this.#search?.skip(descriptor, reason);
      return undefined;
    }
  }

  async #findReferrers({ descriptor: subject, from, to, referrerDepth }: Node): Promise<void> {
    if (this.#search === undefined) return;
    const { listed, tagged } = await this.#search.of(subject);
    const depth = referrerDepth + 1;
    if (listed.length + tagged.length > 0) assertReferrerDepth(depth, subject.digest);
    const base = { from, to, indexDepth: 0, referrerDepth: depth };
    for (const descriptor of listed) this.#next.push({ ...base, descriptor, claims: [subject.digest] });
    for (const { name, descriptor } of tagged) {
      this.#tags.set(name, descriptor);
      this.#referrers.set(descriptor.digest, { ...base, descriptor });
      this.#next.push({ ...base, descriptor });
    }
  }

  #referrersByDepth(): readonly (readonly PlannedBlob[])[] {
    const depths = new Map<number, PlannedBlob[]>();
    for (const referrer of this.#referrers.values()) {
      depths.set(referrer.referrerDepth, [...(depths.get(referrer.referrerDepth) ?? []), referrer]);
    }
    return [...depths].sort(([a], [b]) => a - b).map(([, referrers]) => referrers);
  }

  #movedReferrers(): readonly TransferredReferrer[] {
    const names = new Map<Digest, string[]>();
    for (const [name, { digest }] of this.#tags) names.set(digest, [...(names.get(digest) ?? []), name]);
    return [...this.#referrers.values()].flatMap(({ descriptor }) => {
      const found = this.#loaded.get(descriptor.digest);
      if (found === undefined) return [];
      const described = describeReferrer(descriptor, found.manifest);
      const tags = names.get(descriptor.digest) ?? [undefined];
      return tags.map((tag) => ({ descriptor: described, tag }));
    });
  }
}

function checkSameSize(known: PlannedBlob | undefined, blob: PlannedBlob): PlannedBlob {
  if (known === undefined || known.descriptor.size === blob.descriptor.size) return known ?? blob;
  const { digest } = blob.descriptor;
  const sizes = [known.descriptor.size, blob.descriptor.size];
  throw new MoteError(
    "MOTE_INVALID_MANIFEST",
    `the manifests disagree on the size of ${digest}: ${sizes.join(" and ")} bytes`,
    { details: { digest, sizes } },
  );
}

/**
 * Groups the manifests so that each comes after what it refers to.
 * @param levels the roots, their referrers, and so on, because Docker Hub was seen to reject a referrer without its subject
 */
function groupManifests(
  levels: readonly (readonly PlannedBlob[])[],
  loaded: ReadonlyMap<Digest, LoadedManifest>,
): readonly (readonly LoadedManifest[])[] {
  const heights = new Map<Digest, number>();
  const groups: LoadedManifest[][] = [];
  let firstGroup = 0;
  const heightOf = (digest: Digest, depth: number): number => {
    const found = loaded.get(digest);
    const known = heights.get(digest);
    if (found === undefined) return -1;
    let height = known ?? 0;
    if (known === undefined && depth <= graphLimits.indexDepth) {
      for (const child of manifestChildren(found.manifest).manifests) {
        height = Math.max(height, 1 + heightOf(child.digest, depth + 1));
      }
    }
    assertIndexDepth(depth + height, digest);
    if (known === undefined) {
      heights.set(digest, height);
      while (groups.length <= firstGroup + height) groups.push([]);
      groups[firstGroup + height]?.push(found);
    }
    return height;
  };
  for (const level of levels) {
    firstGroup = groups.length;
    for (const { descriptor } of level) heightOf(descriptor.digest, 0);
  }
  return groups;
}
