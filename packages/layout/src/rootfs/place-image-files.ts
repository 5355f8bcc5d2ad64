import { chmodSync, lstatSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Cancellable } from "@mote/core";
import { writeFailed } from "../disk/file-error.js";
import { TemporaryFolder } from "../disk/temporary-folder.js";
import { openFolder, placeTree } from "../files/place-files.js";
import { StagedTree } from "../files/staged-tree.js";
import type { LayerStack } from "./layer-stack.js";
import { linkTargetIn } from "./link-target.js";
import { filesByLayer, type SelectedFile } from "./selection.js";

const location = "the image";

export interface PlaceFilesOptions extends Cancellable {
  /** Replace existing files with other content. Default: MOTE_EXISTS. */
  readonly overwrite?: boolean | undefined;
}

export interface PlacedFiles {
  readonly files: number;
  readonly folders: number;
  readonly links: number;
  /** Bytes of the files. */
  readonly bytes: number;
  /** What was left out: devices and pipes, and links that would lead out of the folder. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Writes a selection of an image's files into a folder. They belong to the current user, without setuid, setgid and sticky bits, and
 * without the permissions that the umask denies. An absolute link becomes a relative one to the same file. Nothing is written outside of
 * the folder, or through a link in it; and nothing at all if this fails before the files are renamed into place.
 * @throws MOTE_EXISTS · MOTE_INVALID_ARCHIVE · MOTE_TOO_LARGE · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO, and as the layers
 */
export async function placeImageFiles(
  stack: LayerStack,
  selection: readonly SelectedFile[],
  dir: string,
  { overwrite = false, signal }: PlaceFilesOptions = {},
): Promise<PlacedFiles> {
  const { root } = openFolder(resolve(dir));
  await using staging = new TemporaryFolder(root, dir);
  const tree = await StagedTree.create(join(staging.path, "tree"));
  const skipped: { path: string; reason: string }[] = [];
  const folders = selection.filter(({ file }) => file.type === "folder");
  for (const { name } of folders) tree.folder(name, location);
  const written = await writeFiles(tree, stack, selection, { signal });
  const links = selection.filter(({ file }) => file.type === "link");
  for (const selected of links) tree.link(selected.name, linkTargetIn(selected), location);
  for (const { file, name } of selection) {
    if (file.type === "hard-link") skipped.push({ path: name, reason: "is a hard link to no file" });
    else if (file.type === "other") skipped.push({ path: name, reason: "is a device or a pipe" });
  }
  const rejected: string[] = [];
  await tree.makeLinks(root, location, {
    signal,
    onRejected: (name, reason) => {
      rejected.push(name);
      skipped.push({ path: name, reason });
    },
  });
  setModes(tree.path, folders);
  await placeTree(tree.path, root, { overwrite, signal });
  return { ...written, folders: folders.length, links: links.length - rejected.length, skipped };
}

async function writeFiles(
  tree: StagedTree,
  stack: LayerStack,
  selection: readonly SelectedFile[],
  { signal }: Cancellable,
): Promise<Pick<PlacedFiles, "files" | "bytes">> {
  let [files, bytes] = [0, 0];
  for (const [layer, positions] of filesByLayer(selection)) {
    for await (const { position, entry } of stack.contents(layer, new Set(positions.keys()))) {
      const [first, ...others] = positions.get(position) ?? [];
      if (first === undefined) continue;
      const { size } = entry;
      // The owner can always read it.
      const mode = (first.file.mode & 0o777) | 0o400;
      await tree.file(first.name, { size, isProgram: false, mode, content: entry.content }, location, { signal });
      for (const { name } of others) tree.hardLink(name, first.name, location);
      files += 1 + others.length;
      bytes += size;
    }
  }
  return { files, bytes };
}

/** Sets the modes of folders, the deepest first. The owner keeps all permissions, so that it can remove them. */
function setModes(tree: string, folders: readonly SelectedFile[]): void {
  // The mode of a new folder shows the umask, which cannot be read without setting it.
  const allowed = lstatSync(tree).mode & 0o777;
  for (const { file, name } of [...folders].reverse()) {
    if (name === ".") continue;
    const at = join(tree, name);
    try {
      chmodSync(at, (file.mode & allowed) | 0o700);
    } catch (error) {
      throw writeFailed(error, at);
    }
  }
}
