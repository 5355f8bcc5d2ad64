import {
  type Descriptor,
  type Digest,
  describeReferrer,
  isManifestType,
  isNotFound,
  MoteError,
  manifestChildren,
  type Ref,
  refersTo,
} from "@mote/core";
import { allExist, contentExists } from "./content-exists.js";
import { assertIndexDepth, assertReferrerDepth, assertWithin, graphLimits } from "./graph-limits.js";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./loaded-manifest.js";
import type { ManifestLoader } from "./manifest-loader.js";
import { ReferrerSearch, reasonToSkip } from "./referrer-search.js";
import type { TransferredReferrer } from "./report.js";
import type { Root } from "./root.js";

export interface PlannedBlob {
  readonly descriptor: Descriptor;
  /** The places of the first reference that it is below. */
  readonly from: Ref | undefined;
  readonly to: Ref | undefined;
}

export interface Graph {
  /** In groups: whatever a manifest names, or refers to by its subject, is in an earlier group than itself. */
  readonly manifests: readonly (readonly LoadedManifest[])[];
  /** What is to be moved, each digest once, the largest first: so that the last to end is a small one. */
  readonly blobs: readonly PlannedBlob[];
  /** Layers that stay where their `urls` say. */
  readonly foreign: readonly Descriptor[];
  readonly referrers: readonly TransferredReferrer[];
  /** What indexes list and the source does not have. */
  readonly missing: ReadonlyMap<Digest, Descriptor>;
}

/** A manifest that is to be read. */
interface Node extends PlannedBlob {
  /** Indexes above it. */
  readonly indexDepth: number;
  /** Referrers between it and a root. */
  readonly referrerDepth: number;
  /** What it is said to refer to. Undefined if it is moved whatever it says. */
  readonly claims?: readonly Digest[] | undefined;
}

/**
 * Reads everything below the roots, each digest once. A manifest cannot be below itself, as it would have to hold its own digest.
 * What an index lists that is not a manifest is moved as a blob; what the source does not have of it is left out.
 * @throws MOTE_INVALID_MANIFEST where indexes are nested too deep, or two descriptors disagree on one blob's size
 * @throws MOTE_TOO_LARGE with the limit that was met
 */
export async function readGraph(
  job: Job,
  loader: ManifestLoader,
  roots: readonly Root[],
  options: { readonly referrers: boolean },
): Promise<Graph> {
  const reading = new GraphReading(job, loader, options.referrers ? new ReferrerSearch(job) : undefined);
  return await reading.read(roots);
}

class GraphReading {
  readonly #job: Job;
  readonly #loader: ManifestLoader;
  readonly #search: ReferrerSearch | undefined;
  readonly #loaded = new Map<Digest, LoadedManifest>();
  readonly #blobs = new Map<Digest, PlannedBlob>();
  readonly #foreign = new Map<Digest, Descriptor>();
  readonly #referrers = new Map<Digest, PlannedBlob & Pick<Node, "referrerDepth">>();
  readonly #tags = new Map<string, Descriptor>();
  readonly #missing = new Map<Digest, Descriptor>();
  #below: Node[] = [];

  constructor(job: Job, loader: ManifestLoader, search: ReferrerSearch | undefined) {
    this.#job = job;
    this.#loader = loader;
    this.#search = search;
  }

  async read(roots: readonly Root[]): Promise<Graph> {
    this.#below = roots.map((root) => ({ ...root, indexDepth: 0, referrerDepth: 0 }));
    // A name in the cache stays on the index, so what refers to that belongs there, too.
    const isIndexKept = this.#job.destination === undefined;
    for (const root of isIndexKept ? roots : []) {
      for (const { descriptor } of root.indexes)
        await this.#findReferrers({ ...root, descriptor, indexDepth: 0, referrerDepth: 0 });
    }
    while (this.#below.length > 0) {
      const level = this.#unread(this.#below);
      assertWithin("manifests", this.#loaded.size + level.length);
      this.#below = [];
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

  /** Each once. What is claimed by several need refer to one of them only. */
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
    if (node.indexDepth > 0 && !(await this.#isThere(descriptor))) {
      this.#missing.set(descriptor.digest, descriptor);
      return;
    }
    const found = isReferrer ? await this.#loadReferrer(descriptor) : await this.#loadBelow(node);
    if (found === undefined) return;
    // Registries answer for referrers with what has nothing to do with the subject, too.
    if (claims !== undefined && !claims.some((subject) => refersTo(found.manifest, subject))) return;
    if (claims !== undefined) this.#referrers.set(descriptor.digest, { ...node, descriptor: found.descriptor });
    this.#loaded.set(descriptor.digest, found);
    const { from, to, referrerDepth } = node;
    const children = manifestChildren(found.manifest);
    for (const child of children.manifests) {
      this.#below.push({ descriptor: child, from, to, indexDepth: node.indexDepth + 1, referrerDepth });
    }
    for (const child of children.foreign) this.#foreign.set(child.digest, child);
    for (const child of children.blobs) this.#addBlob({ descriptor: child, from, to });
    assertWithin("blobs", Math.max(this.#blobs.size, this.#foreign.size));
    await this.#findReferrers(node);
  }

  #addBlob(blob: PlannedBlob): void {
    const { digest } = blob.descriptor;
    this.#blobs.set(digest, sameSize(this.#blobs.get(digest), blob));
  }

  /** Of what an index lists: whether the source has it, with all its content. */
  async #isThere(descriptor: Descriptor): Promise<boolean> {
    try {
      const found = await this.#loader.loadEntry(descriptor);
      const content = found === undefined ? [descriptor] : manifestChildren(found.manifest).blobs;
      return await allExist(this.#job, content);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#job.signal.throwIfAborted();
      // A registry has what is not a manifest among its blobs.
      return !isManifestType(descriptor.mediaType) && (await contentExists(this.#job, descriptor));
    }
  }

  /** Undefined for what is moved as a blob. */
  async #loadBelow(node: Node): Promise<LoadedManifest | undefined> {
    const { descriptor, indexDepth, from, to } = node;
    if (indexDepth === 0) return await this.#loader.load(descriptor);
    const found = await this.#loader.loadEntry(descriptor).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    if (found === undefined) this.#addBlob({ descriptor, from, to });
    if (found?.isOpaque) {
      this.#job.notice(
        `${descriptor.digest} has the media type ${descriptor.mediaType}, which is not known: it is moved without what it may refer to`,
      );
    }
    return found;
  }

  /** Undefined for what cannot be moved, which is said at the end. */
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
    const { claimed, tagged } = await this.#search.of(subject);
    const depth = referrerDepth + 1;
    if (claimed.length + tagged.length > 0) assertReferrerDepth(depth, subject.digest);
    const place = { from, to, indexDepth: 0, referrerDepth: depth };
    for (const descriptor of claimed) this.#below.push({ ...place, descriptor, claims: [subject.digest] });
    for (const { name, descriptor } of tagged) {
      this.#tags.set(name, descriptor);
      this.#referrers.set(descriptor.digest, { ...place, descriptor });
      this.#below.push({ ...place, descriptor });
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

function sameSize(known: PlannedBlob | undefined, blob: PlannedBlob): PlannedBlob {
  if (known === undefined || known.descriptor.size === blob.descriptor.size) return known ?? blob;
  const { digest } = blob.descriptor;
  const sizes = [known.descriptor.size, blob.descriptor.size];
  throw new MoteError(
    "MOTE_INVALID_MANIFEST",
    `the manifests disagree on the size of ${digest}: ${sizes.join(" and ")} bytes`,
    { details: { digest, sizes } },
  );
}

/** `levels`: what is moved, then what refers to that, and so on: Docker Hub was seen to refuse a referrer whose subject is not there. */
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
