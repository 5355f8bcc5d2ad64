import { type Cancellable, MoteError } from "@mote/core";
import type { LayerEntry } from "../tar/read-layer.js";
import { type LayerFile, type LayerNode, namesOf, readLayerTree, TreeLimits } from "./layer-tree.js";

/** Linux's limit for one path (path_resolution(7)). */
const maxFollowed = 40;
/** Limit on the names of a path, with those of the links in it. */
const maxNames = 10_000;
const shownNames = 1000;
const entriesPerTurn = 1024;

export interface ReadableLayer {
  /** For errors. */
  readonly what: string;
  /** Yields the entries of its tar, each time from the start. */
  entries(options?: Cancellable): AsyncIterable<LayerEntry>;
}

/** A file, folder or link of an image. */
export interface ImageFile extends LayerFile {
  /** Without a slash before or behind it; empty for the root. */
  readonly path: string;
}

/**
 * The file system of an image: its layers over each other (image-spec, layer.md). Layers are read when they are needed, from the top. All paths
 * and links are resolved inside the image.
 */
export class LayerStack {
  readonly #layers: readonly ReadableLayer[];
  readonly #trees: (Promise<LayerNode> | undefined)[] = [];
  readonly #limits: TreeLimits;
  readonly #signal: AbortSignal | undefined;

  /** @param layers from the base up */
  constructor(
    layers: readonly ReadableLayer[],
    { maxEntries, signal }: Cancellable & { readonly maxEntries?: number | undefined } = {},
  ) {
    this.#layers = layers;
    this.#limits = new TreeLimits({ maxEntries });
    this.#signal = signal;
  }

  /** Returns what a path leads to, through symbolic links. @throws MOTE_NOT_FOUND with the names that are there · as the layers */
  async resolve(path: string): Promise<ImageFile> {
    const waiting = path.split("/").reverse();
    const at: string[] = [];
    let followed = 0;
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at.pop();
        continue;
      }
      const found = await this.#find([...at, name]);
      if (found === undefined) throw await this.#absent(path, at, name);
      if (found.type === "link") {
        if (++followed > maxFollowed || waiting.length > maxNames) throw tooManyLinks(path);
        if (found.linkName.startsWith("/")) at.length = 0;
        waiting.push(...found.linkName.split("/").reverse());
      } else if (found.type !== "folder" && waiting.some((each) => each !== "" && each !== ".")) {
        throw new MoteError("MOTE_NOT_FOUND", `cannot read ${path}: ${[...at, name].join("/")} is not a directory`, {
          details: { path },
        });
      } else at.push(name);
    }
    return (await this.#find(at)) ?? rootFolder;
  }

  /** Yields everything below a folder, in the order of the names, folders before their content. */
  async *walk(folder: string): AsyncGenerator<ImageFile, void, undefined> {
    const below = async (path: string) => [...(await this.#children(path === "" ? [] : path.split("/")))].reverse();
    const waiting = await below(folder);
    let yielded = 0;
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      yield file;
      if (file.type === "folder") waiting.push(...(await below(file.path)));
      if (++yielded % entriesPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      this.#signal?.throwIfAborted();
    }
  }

  /** Yields the wanted entries of a layer by their positions, with content to read before the next one. Reads no further than needed. */
  async *contents(
    layer: number,
    positions: ReadonlySet<number>,
  ): AsyncGenerator<{ readonly position: number; readonly entry: LayerEntry }, void, undefined> {
    let left = positions.size;
    let position = -1;
    for await (const entry of this.#layers[layer]?.entries({ signal: this.#signal }) ?? []) {
      position++;
      if (!positions.has(position)) continue;
      yield { position, entry };
      if (--left === 0) return;
    }
  }

  async *content(file: LayerFile): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const { entry } of this.contents(file.layer, new Set([file.position]))) yield* entry.content;
  }

  /** Finds a path without following links, in this layer or below. */
  async #find(path: readonly string[], from = this.#layers.length - 1): Promise<ImageFile | undefined> {
    for (let layer = from; layer >= 0; layer--) {
      const { node, isHidden } = lookUp(await this.#tree(layer), path);
      if (node !== undefined) return this.#describe(path, node, layer);
      if (isHidden) return undefined;
    }
    return undefined;
  }

  async #children(path: readonly string[]): Promise<readonly ImageFile[]> {
    const found = new Map<string, ImageFile>();
    const hidden = new Set<string>();
    for (let layer = this.#layers.length - 1; layer >= 0; layer--) {
      const { node, isHidden } = lookUp(await this.#tree(layer), path);
      for (const [name, child] of node?.children ?? []) {
        const isThere = child.file !== undefined || child.children !== undefined;
        const known = found.get(name);
        // A layer may lack the entry of a folder that a lower one has.
        const isBetter = known === undefined || (known.position < 0 && child.file?.type === "folder");
        if (isThere && isBetter && !hidden.has(name)) {
          found.set(name, await this.#describe([...path, name], child, layer));
        }
        if (child.isWhiteout || (isThere && child.children === undefined)) hidden.add(name);
      }
      if (isHidden || node?.isOpaque || (node !== undefined && node.children === undefined)) break;
    }
    return [...found.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
  }

  async #describe(path: readonly string[], { file }: LayerNode, layer: number): Promise<ImageFile> {
    const shown = path.join("/");
    if (file === undefined) return { ...rootFolder, path: shown };
    if (file.type !== "hard-link") return { ...file, path: shown };
    // A layer may link to a file of a lower one.
    const target = await this.#find(namesOf(file.linkName, this.#layers[layer]?.what ?? ""), layer - 1);
    return { ...(target?.type === "file" ? target : file), path: shown };
  }

  #tree(layer: number): Promise<LayerNode> {
    const known = this.#trees[layer];
    if (known !== undefined) return known;
    const { what, entries } = this.#layers[layer] ?? noLayer;
    const reading = readLayerTree(entries({ signal: this.#signal }), layer, { what, limits: this.#limits });
    this.#trees[layer] = reading;
    return reading;
  }

  async #absent(path: string, at: readonly string[], name: string): Promise<MoteError> {
    const folder = at.join("/");
    const siblings = (await this.#children(at)).map((each) => each.path);
    const sameName: string[] = [];
    const requested = path.split("/").filter((each) => each !== "");
    const last = requested.at(-1) ?? name;
    for await (const file of this.walk("")) {
      // A link that leads to nothing has the requested path itself.
      if (!file.path.endsWith(`/${last}`) || file.path === requested.join("/")) continue;
      if (sameName.push(file.path) >= shownNames) break;
    }
    return new MoteError("MOTE_NOT_FOUND", `${path} does not exist: /${folder} has no ${name}`, {
      details: { path, wanted: [...at, name].join("/"), siblings: siblings.slice(0, shownNames), sameName },
    });
  }
}

const noLayer: ReadableLayer = { what: "", async *entries() {} };

/** A folder without an entry, such as the root. */
const rootFolder: ImageFile = {
  path: "",
  type: "folder",
  size: 0,
  linkName: "",
  mode: 0o755,
  uid: 0,
  gid: 0,
  modifiedMs: 0,
  layer: 0,
  position: -1,
};

/** Follows a path in one layer. @returns the node, if the layer has one, and whether the layer hides the path in lower layers */
function lookUp(
  root: LayerNode,
  path: readonly string[],
): { readonly node: LayerNode | undefined; readonly isHidden: boolean } {
  let node = root;
  let isHidden = false;
  for (const [at, name] of path.entries()) {
    isHidden ||= node.isOpaque === true;
    const child = node.children?.get(name);
    if (child === undefined) return { node: undefined, isHidden };
    isHidden ||= child.isWhiteout === true;
    const isFolder = child.children !== undefined;
    if (!isFolder && child.file === undefined) return { node: undefined, isHidden };
    // A file hides the folders below it.
    if (!isFolder && at < path.length - 1) return { node: undefined, isHidden: true };
    node = child;
  }
  return { node, isHidden };
}

function tooManyLinks(path: string): MoteError {
  const message = `cannot read ${path}: it leads through more than ${maxFollowed} symbolic links, which may refer to each other`;
  return new MoteError("MOTE_NOT_FOUND", message, { details: { path } });
}
