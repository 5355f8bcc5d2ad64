import type { Cancellable, Digest } from "@mote/core";
import { fullName } from "../oci/image-names.js";
import { taken } from "../oci/index-file.js";
import type { ArchiveFiles } from "../tar/archive-files.js";
import { imageId, readDockerList, type SavedImage } from "./docker-list.js";

/** An image that goes into an archive, with its id: the digest of its configuration. */
export interface AddedImage extends SavedImage {
  readonly id: Digest;
}

/**
 * Returns the images of a Docker archive with others added; one that is there already gets the new names too.
 * @throws MOTE_EXISTS if a name means another image there, unless `overwrite` is set: then that loses the name
 */
export async function mergeImages(
  existing: ArchiveFiles,
  added: readonly AddedImage[],
  { overwrite, path, ...options }: Cancellable & { readonly overwrite: boolean; readonly path: string },
): Promise<readonly SavedImage[]> {
  const owners = new Map(added.flatMap(({ id, tags }) => tags.map((tag) => [fullName(tag), id] as const)));
  const kept: SavedImage[] = [];
  const more = new Map<Digest, string[]>();
  for (const image of await readDockerList(existing, options)) {
    const id = await imageId(existing, image, options);
    const isLost = (tag: string) => (owners.get(fullName(tag)) ?? id) !== id;
    const lost = image.tags.find(isLost);
    if (lost !== undefined && !overwrite) throw taken(path, lost, id);
    const tags = image.tags.filter((tag) => !isLost(tag));
    if (added.some((one) => one.id === id)) more.set(id, [...(more.get(id) ?? []), ...tags]);
    else if (tags.length > 0 || lost === undefined) kept.push({ ...image, tags });
  }
  const all = added.map((image) => ({ ...image, tags: uniqueNames([...image.tags, ...(more.get(image.id) ?? [])]) }));
  return [...kept, ...all];
}

function uniqueNames(tags: readonly string[]): readonly string[] {
  return [...new Map([...tags].reverse().map((tag) => [fullName(tag), tag])).values()].reverse();
}
