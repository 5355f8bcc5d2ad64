import type { ImageFile, LayerStack } from "./layer-stack.js";

/** A file, folder or link to take out of an image, and its name there. */
export interface SelectedFile {
  readonly file: ImageFile;
  /** A path with `/`; `.` for a folder whose content has no folder above it. */
  readonly name: string;
  /** The folder or file that was selected, and its name. */
  readonly root: { readonly path: string; readonly name: string };
}

/** Selects a file, or a folder with everything below it. */
export async function* selectBelow(
  stack: LayerStack,
  file: ImageFile,
  name: string,
): AsyncGenerator<SelectedFile, void, undefined> {
  const root = { path: file.path, name };
  yield { file, name, root };
  if (file.type !== "folder") return;
  for await (const below of stack.walk(file.path)) {
    const rest = below.path.slice(file.path === "" ? 0 : file.path.length + 1);
    yield { file: below, name: name === "." ? rest : `${name}/${rest}`, root };
  }
}

/** The files of a selection by layer and position: files with several names are hard links of each other. */
export type FilesByLayer = ReadonlyMap<number, ReadonlyMap<number, readonly SelectedFile[]>>;

export function filesByLayer(selection: Iterable<SelectedFile>): FilesByLayer {
  const layers = new Map<number, Map<number, SelectedFile[]>>();
  for (const selected of selection) {
    const { type, layer, position } = selected.file;
    if (type !== "file") continue;
    const positions = layers.get(layer) ?? new Map<number, SelectedFile[]>();
    layers.set(layer, positions);
    positions.set(position, [...(positions.get(position) ?? []), selected]);
  }
  return layers;
}
