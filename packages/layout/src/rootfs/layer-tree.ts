import { MoteError } from "@mote/core";
import { invalidArchive } from "../disk/file-error.js";
import { isLonger, maxDepth, maxNameBytes, maxSegmentBytes } from "../tar/entry-name.js";
import type { LayerEntry } from "../tar/read-layer.js";
import type { TarEntry } from "../tar/tar-headers.js";

/** A file, folder or link of an image, and where its content is. */
export interface LayerFile extends Omit<TarEntry, "name" | "offset"> {
  /** The layer, counted from the base, and the position of the entry with its content in that layer's tar. */
  readonly layer: number;
  readonly position: number;
}

/** A name in one layer. It may both remove what lower layers have there and add something. */
export interface LayerNode {
  /** Undefined for a folder that the layer has no entry for. */
  file?: LayerFile | undefined;
  children?: Map<string, LayerNode> | undefined;
  /** Whether the layer removes what lower layers have under this name (image-spec, layer.md, "Whiteouts"). */
  isWhiteout?: boolean;
  /** Whether the layer hides what lower layers have in this folder. */
  isOpaque?: boolean;
}

const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";

/** Limits on what is held in memory of all layers of an image. */
export class TreeLimits {
  readonly #maxEntries: number;
  #entries = 0;
  #nameBytes = 0;

  constructor({ maxEntries = 2_000_000 }: { readonly maxEntries?: number | undefined }) {
    this.#maxEntries = maxEntries;
  }

  /** @throws MOTE_TOO_LARGE */
  count({ name, linkName }: Pick<TarEntry, "name" | "linkName">): void {
    this.#entries++;
    this.#nameBytes += name.length + linkName.length;
    const isTooLarge = this.#entries > this.#maxEntries || this.#nameBytes > maxNamesBytes;
    if (!isTooLarge) return;
    throw new MoteError("MOTE_TOO_LARGE", "the image has too many files to list; raise the setting maxEntries", {
      details: { maxEntries: this.#maxEntries },
    });
  }
}

const maxNamesBytes = 256 * 1024 * 1024;

/** Reads the names of a layer, without content. The last entry of a name wins, as in tar. @throws MOTE_INVALID_ARCHIVE · MOTE_TOO_LARGE */
export async function readLayerTree(
  entries: AsyncIterable<LayerEntry>,
  layer: number,
  { what, limits }: { readonly what: string; readonly limits: TreeLimits },
): Promise<LayerNode> {
  const root: LayerNode = { children: new Map() };
  let position = -1;
  for await (const { content: _, name, offset: __, ...entry } of entries) {
    position++;
    limits.count({ name, linkName: entry.linkName });
    const path = namesOf(name, what);
    const last = path.at(-1);
    if (last === opaqueName) folderAt(root, path.slice(0, -1)).isOpaque = true;
    // Private data of AUFS.
    else if (path.some((each) => each.startsWith(".wh..wh."))) continue;
    else if (last?.startsWith(whiteoutPrefix)) {
      const removed = last.slice(whiteoutPrefix.length);
      if (removed === "" || removed === "." || removed === "..") throw invalidArchive(what, "a whiteout has no name");
      childOf(folderAt(root, path.slice(0, -1)), removed).isWhiteout = true;
    } else place(root, path, fileOf(root, { ...entry, layer, position }, name.endsWith("/"), what));
  }
  return root;
}

/** Returns the names of a path below the root. A slash or `./` before it does not matter. @throws MOTE_INVALID_ARCHIVE */
export function namesOf(path: string, what: string): readonly string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  const isValid =
    !names.includes("..") &&
    !path.includes("\0") &&
    names.length <= maxDepth &&
    !isLonger(path, maxNameBytes) &&
    !names.some((name) => isLonger(name, maxSegmentBytes));
  if (isValid) return names;
  throw invalidArchive(what, `${JSON.stringify(path.slice(0, 200))} is not a valid path in an image`);
}

/** A hard link has the content of its target, if that is in the layer. */
function fileOf(root: LayerNode, file: LayerFile, hasSlash: boolean, what: string): LayerFile {
  if (file.type === "file" && hasSlash) return { ...file, type: "folder", size: 0 };
  if (file.type !== "hard-link") return file;
  const target = nodeAt(root, namesOf(file.linkName, what))?.file;
  return target === undefined || target.type === "folder" || target.type === "other" ? file : target;
}

function nodeAt(root: LayerNode, path: readonly string[]): LayerNode | undefined {
  let node: LayerNode | undefined = root;
  for (const name of path) node = node?.children?.get(name);
  return node;
}

function place(root: LayerNode, path: readonly string[], file: LayerFile): void {
  const name = path.at(-1);
  if (name === undefined) {
    if (file.type === "folder") root.file = file;
    return;
  }
  const node = childOf(folderAt(root, path.slice(0, -1)), name);
  node.file = file;
  if (file.type === "folder") node.children ??= new Map();
  else node.children = undefined;
}

/** Returns the folder at a path; a file there is replaced. */
function folderAt(root: LayerNode, path: readonly string[]): LayerNode {
  let node = root;
  for (const name of path) {
    node = childOf(node, name);
    if (node.children !== undefined) continue;
    node.children = new Map();
    node.file = undefined;
  }
  return node;
}

function childOf(folder: LayerNode, name: string): LayerNode {
  folder.children ??= new Map();
  const child = folder.children.get(name) ?? {};
  folder.children.set(name, child);
  return child;
}
