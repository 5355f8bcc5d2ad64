import { blockBytes, paddedBytes, writeTarHeader } from "../tar/tar-header.js";
import type { LayerStack } from "./layer-stack.js";
import { filesByLayer, type SelectedFile } from "./selection.js";

/**
 * Yields a tar of the selection with modes, owners and times: folders, then files in the order of the layers, then symbolic links. Devices
 * and pipes are left out.
 */
export async function* selectionTar(
  stack: LayerStack,
  selection: readonly SelectedFile[],
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const { file, name } of selection) {
    if (file.type === "folder") yield writeTarHeader(`${name}/`, 0, "folder", "", file);
  }
  for (const [layer, positions] of filesByLayer(selection)) {
    for await (const { position, entry } of stack.contents(layer, new Set(positions.keys()))) {
      const [first, ...others] = positions.get(position) ?? [];
      if (first === undefined) continue;
      yield writeTarHeader(first.name, entry.size, "file", "", first.file);
      yield* entry.content;
      yield new Uint8Array(paddedBytes(entry.size) - entry.size);
      for (const { name, file } of others) yield writeTarHeader(name, 0, "hard-link", first.name, file);
    }
  }
  for (const { file, name } of selection) {
    if (file.type === "link") yield writeTarHeader(name, 0, "link", file.linkName, file);
  }
  yield new Uint8Array(2 * blockBytes);
}
