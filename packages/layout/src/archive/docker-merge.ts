import type { Cancellable, Digest } from "@mote/core";
import { fullName } from "../oci/image-names.js";
import { taken } from "../oci/index-file.js";
import type { ArchiveFiles } from "../tar/archive-files.js";
import { imageId, readDockerList, type SavedImage } from "./docker-list.js";

/** An image to add to an archive, with its id: its configuration's digest. */
export interface AddedImage extends SavedImage {
  readonly id: Digest;
}

/**
 * Merges images into those of a Docker archive. An image that the archive already has gets the new names.
 * @throws MOTE_EXISTS if another image has one of the names; with `overwrite`, the name is moved instead
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
