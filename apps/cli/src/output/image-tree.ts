import {
  type Descriptor,
  type Digest,
  formatPlatform,
  type Inventory,
  type Manifest,
  type MoteKind,
  manifestKind,
  mediaTypes,
  refersTo,
} from "@mote/core";

/** A mote in the tree of an image, and what is below it. */
export interface TreeNode {
  /** What it is to the one above: a platform, `config`, `layer 1`, a file's name, `referrer`. */
  readonly role: string;
  readonly digest: Digest;
  readonly kind: MoteKind;
  readonly mediaType: string;
  /** Bytes of its own. */
  readonly size: number;
  readonly isKept: boolean;
  readonly artifactType?: string;
  readonly children: readonly TreeNode[];
}

/** image-spec, annotations.md: the name of a file, in the way of oras. */
const title = "org.opencontainers.image.title";

/** The tree below a descriptor: platforms, configs, layers, and what refers to a manifest and is kept. */
export function imageTree(inventory: Inventory, root: Descriptor): TreeNode {
  return nodeOf(inventory, root, { role: "", above: new Set() });
}

function nodeOf(
  inventory: Inventory,
  descriptor: Descriptor,
  { role, above, kind }: { readonly role: string; readonly above: ReadonlySet<Digest>; readonly kind?: MoteKind },
): TreeNode {
  const { digest, mediaType, size } = descriptor;
  const manifest = inventory.manifests.get(digest);
  const artifactType = manifest?.artifactType ?? descriptor.artifactType;
  // Nothing can refer to what is above it, unless a digest was broken; a tree ends all the same.
  const below = above.has(digest) ? undefined : manifest;
  const path = new Set([...above, digest]);
  return {
    role,
    digest,
    kind: kind ?? (manifest ? manifestKind(manifest) : (inventory.motes.get(digest)?.kind ?? "image")),
    mediaType,
    size,
    isKept: inventory.motes.has(digest),
    ...(artifactType === undefined ? {} : { artifactType }),
    children:
      below === undefined ? [] : [...childrenOf(inventory, below, path), ...referrersOf(inventory, digest, path)],
  };
}

function childrenOf(inventory: Inventory, manifest: Manifest, above: ReadonlySet<Digest>): TreeNode[] {
  if (manifest.kind === "index") {
    return manifest.manifests.map((child, at) => nodeOf(inventory, child, { role: roleInIndex(child, at), above }));
  }
  const layers = manifest.layers.map((layer, at) => {
    const role = layer.annotations?.[title] ?? `layer ${at + 1}`;
    return nodeOf(inventory, layer, { role, above, kind: "layer" });
  });
  const { config } = manifest;
  if (config === undefined || config.mediaType === mediaTypes.ociEmpty) return layers;
  return [nodeOf(inventory, config, { role: "config", above, kind: "config" }), ...layers];
}

/** What is in the cache and names the manifest as its subject. */
function referrersOf(inventory: Inventory, subject: Digest, above: ReadonlySet<Digest>): TreeNode[] {
  return [...inventory.manifests].flatMap(([digest, manifest]) => {
    const mote = inventory.motes.get(digest);
    if (!refersTo(manifest, subject) || mote === undefined) return [];
    return nodeOf(inventory, { digest, mediaType: manifest.mediaType, size: mote.size }, { role: "referrer", above });
  });
}

function roleInIndex({ platform, annotations }: Descriptor, at: number): string {
  // buildkit keeps attestations in the index, under a platform that is none.
  const isAttestation = annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
  if (isAttestation) return "attestation";
  return platform === undefined || platform === null ? `manifest ${at + 1}` : formatPlatform(platform);
}

/** A tree as lines: what is drawn in front of each node, and the node, from top to bottom. */
export function treeLines(root: TreeNode): { readonly branch: string; readonly node: TreeNode }[] {
  const lines: { branch: string; node: TreeNode }[] = [];
  const walk = (node: TreeNode, branch: string, below: string) => {
    lines.push({ branch, node });
    for (const [at, child] of node.children.entries()) {
      const isLast = at === node.children.length - 1;
      walk(child, `${below}${isLast ? "└─ " : "├─ "}`, `${below}${isLast ? "   " : "│  "}`);
    }
  };
  walk(root, "", "");
  return lines;
}

/** What a media type says to people: those of images in a word or two, all others as they are. */
export function shortMediaType(mediaType: string): string {
  const [, layer] =
    /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1|docker\.image\.rootfs(?:\.foreign)?\.diff)\.(.+)$/.exec(
      mediaType,
    ) ?? [];
  if (layer !== undefined) return layer;
  return known[mediaType] ?? mediaType;
}

const known: Readonly<Record<string, string>> = {
  [mediaTypes.ociManifest]: "oci manifest",
  [mediaTypes.ociIndex]: "oci index",
  [mediaTypes.ociConfig]: "oci config",
  [mediaTypes.dockerManifest]: "docker manifest",
  [mediaTypes.dockerManifestList]: "docker manifest list",
  [mediaTypes.dockerConfig]: "docker config",
  [mediaTypes.octetStream]: "bytes",
};
