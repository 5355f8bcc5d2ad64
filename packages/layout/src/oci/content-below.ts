import { type Descriptor, type Digest, type Manifest, manifestChildren, readClosure } from "@mote/core";

/** Everything below some manifests, each digest once. Foreign layers are left out. */
export interface ContentBelow {
  /** The roots first. */
  readonly manifests: readonly Descriptor[];
  readonly blobs: readonly Descriptor[];
  /** Manifests that indexes list but that cannot be read, such as those of other platforms. */
  readonly absent: readonly Descriptor[];
}

/** @param read returns undefined for a manifest that is not there, and for an entry that is not a manifest @throws what `read` throws */
export async function readContentBelow(
  roots: readonly Descriptor[],
  read: (descriptor: Descriptor) => Promise<Manifest | undefined>,
): Promise<ContentBelow> {
  const manifests = new Map<Digest, Descriptor>();
  const blobs = new Map<Digest, Descriptor>();
  const absent = new Map<Digest, Descriptor>();
  const known = new Map<Digest, Descriptor>(roots.map((root) => [root.digest, root]));
  for (const root of roots) {
    await readClosure(root, async ({ digest }) => {
      const descriptor = known.get(digest);
      if (descriptor === undefined || manifests.has(digest)) return undefined;
      const manifest = await read(descriptor);
      if (manifest === undefined) {
        absent.set(digest, descriptor);
        return undefined;
      }
      manifests.set(digest, descriptor);
      const children = manifestChildren(manifest);
      for (const child of children.manifests) if (!known.has(child.digest)) known.set(child.digest, child);
      for (const blob of children.blobs) blobs.set(blob.digest, blob);
      return children;
    });
  }
  return {
    manifests: [...manifests.values()],
    blobs: [...blobs.values()].filter(({ digest }) => !manifests.has(digest)),
    absent: [...absent.values()],
  };
}
