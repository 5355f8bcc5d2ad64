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

export interface TreeNode {
  /** Its role in the parent node: a platform, `config`, `layer 1`, a file name, `referrer`. */
  readonly role: string;
  readonly digest: Digest;
  readonly kind: MoteKind;
  readonly mediaType: string;
  /** Bytes, without its children. */
  readonly size: number;
  readonly isStored: boolean;
  readonly artifactType?: string;
  readonly children: readonly TreeNode[];
}

/** The file name of a layer, as in oras (image-spec, annotations.md). */
const title = "org.opencontainers.image.title";

/** Returns the tree of a descriptor: platforms, configs, layers and cached referrers. */
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
  // A cycle would need a hash collision, but the tree must be finite in any case.
  const below = above.has(digest) ? undefined : manifest;
  const path = new Set([...above, digest]);
  return {
    role,
    digest,
    kind: kind ?? (manifest ? manifestKind(manifest) : (inventory.motes.get(digest)?.kind ?? "image")),
    mediaType,
    size,
    isStored: inventory.motes.has(digest),
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

/** Returns the cached manifests with this subject. */
function referrersOf(inventory: Inventory, subject: Digest, above: ReadonlySet<Digest>): TreeNode[] {
  return [...inventory.manifests].flatMap(([digest, manifest]) => {
    const mote = inventory.motes.get(digest);
    if (!refersTo(manifest, subject) || mote === undefined) return [];
    return nodeOf(inventory, { digest, mediaType: manifest.mediaType, size: mote.size }, { role: "referrer", above });
  });
}

function roleInIndex({ platform, annotations }: Descriptor, at: number): string {
  // BuildKit lists attestations in the index, with the platform unknown/unknown.
  const isAttestation = annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
  if (isAttestation) return "attestation";
  return platform === undefined || platform === null ? `manifest ${at + 1}` : formatPlatform(platform);
}

/** Returns the lines of a tree from top to bottom: each node with the branch drawn before it. */
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

/** Shortens the media types of images. Returns other media types unchanged. */
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
