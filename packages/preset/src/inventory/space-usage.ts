import { type Digest, type Inventory, measureShares, rootsOf, type Share } from "@mote/core";
import { knownReferences } from "../references/references.js";

export interface ImageUsage extends Share {
  readonly digest: Digest;
  /** Its tags in the repository. Empty for unnamed images. */
  readonly tags: readonly string[];
}

export interface RepositoryUsage extends Share {
  /** As in references, without registry and tag; the path of a layout or archive. Empty for unnamed images. */
  readonly repository: string;
  /** Largest first. */
  readonly images: readonly ImageUsage[];
}

export interface RegistryUsage extends Share {
  /** The host; the transport of layouts and archives (`oci:`); empty for unnamed images. */
  readonly registry: string;
  readonly repositories: readonly RepositoryUsage[];
}

/** Disk usage. Content is shared at a level if several entries of that level have it. */
export interface SpaceUsage extends Pick<Share, "motes" | "bytes"> {
  /** Largest first. */
  readonly registries: readonly RegistryUsage[];
  /** Content that no manifest references. */
  readonly loose: Pick<Share, "motes" | "bytes">;
}

/** Measures disk usage by registry, repository and image. Shared content counts in each entry, and once in the total. */
export function measureSpace(inventory: Inventory): SpaceUsage {
  const images = new Map<string, ImagePlace>();
  const loose = new Set(inventory.motes.keys());
  for (const { digest, names, closure } of rootsOf(inventory)) {
    for (const each of closure) loose.delete(each);
    const places = names.length === 0 ? placesOfSubject(inventory, digest) : names.map(placeOf);
    for (const place of places.length === 0 ? [unnamed] : places) {
      const key = [place.registry, place.repository, digest].join(" ");
      const image = images.get(key) ?? { ...place, digest, tags: [], closure };
      if (place.tag !== "") image.tags.push(place.tag);
      images.set(key, image);
    }
  }
  const sizeOf = (digest: Digest) => inventory.motes.get(digest)?.size;
  const shares = measureShares(new Map([...images].map(([key, { closure }]) => [key, closure])), sizeOf);
  const ofImages = [...images].map(([key, { registry, repository, digest, tags, closure }]) => {
    const image: ImageUsage = { digest, tags: tags.sort(), ...(shares.get(key) ?? nothing) };
    return { registry, repository, closure, node: image };
  });
  const ofRepositories = gather(ofImages, ({ registry, repository }) => [registry, repository].join(" "), sizeOf).map(
    ({ first: { registry, repository }, closure, share, nodes }) => {
      const node: RepositoryUsage = { repository, ...share, images: nodes };
      return { registry, closure, node };
    },
  );
  const registries = gather(ofRepositories, ({ registry }) => registry, sizeOf).map(
    ({ first: { registry }, share, nodes }): RegistryUsage => ({ registry, ...share, repositories: nodes }),
  );
  let bytes = 0;
  for (const { size } of inventory.motes.values()) bytes += size;
  const looseBytes = [...loose].reduce((sum, digest) => sum + (sizeOf(digest) ?? 0), 0);
  return {
    motes: inventory.motes.size,
    bytes,
    registries: registries.sort(largestFirst),
    loose: { motes: loose.size, bytes: looseBytes },
  };
}

interface Place {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

interface ImagePlace extends Omit<Place, "tag"> {
  readonly digest: Digest;
  readonly tags: string[];
  readonly closure: ReadonlySet<Digest>;
}

interface Part<Node extends Share> {
  readonly closure: ReadonlySet<Digest>;
  readonly node: Node;
}

const unnamed: Place = { registry: "", repository: "", tag: "" };
const nothing: Share = { motes: 0, bytes: 0, unsharedBytes: 0 };
const largestFirst = (one: Share, other: Share) => other.bytes - one.bytes;

/** Groups parts by key, and measures what each group shares with the others. */
function gather<Node extends Share, P extends Part<Node>>(
  parts: readonly (P & Part<Node>)[],
  keyOf: (part: P) => string,
  sizeOf: (digest: Digest) => number | undefined,
) {
  const groups = new Map<string, { first: P; closure: Set<Digest>; nodes: Node[] }>();
  for (const part of parts) {
    const group = groups.get(keyOf(part)) ?? { first: part, closure: new Set(), nodes: [] };
    groups.set(keyOf(part), group);
    for (const digest of part.closure) group.closure.add(digest);
    group.nodes.push(part.node);
  }
  const shares = measureShares(new Map([...groups].map(([key, { closure }]) => [key, closure])), sizeOf);
  return [...groups].map(([key, { first, closure, nodes }]) => ({
    first,
    closure,
    share: shares.get(key) ?? nothing,
    nodes: nodes.sort(largestFirst),
  }));
}

/** Returns the places of the subject: an unnamed signature counts as part of the repository that it signs. */
function placesOfSubject(inventory: Inventory, digest: Digest): Place[] {
  const subject = inventory.manifests.get(digest)?.subject?.digest;
  const names = (subject === undefined ? undefined : inventory.motes.get(subject)?.names) ?? [];
  return names.map((name) => ({ ...placeOf(name), tag: "" }));
}

function placeOf(name: string): Place {
  const ref = knownReferences.tryParse(name);
  if (ref === undefined) return { registry: "", repository: name, tag: name };
  const tag = ref.tag ?? ref.digest ?? "";
  if (ref.transport === "docker") return { registry: ref.registry, repository: ref.repository, tag };
  return { registry: `${ref.transport}:`, repository: ref.path, tag };
}
