import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { indexPath, markerPath } from "../oci/layout-paths.js";
import type { TarContent } from "../tar/tar-file.js";

/** Returns the files of a layout in a folder, in the order of an archive. */
export async function layoutFiles(dir: string): Promise<ReadonlyMap<string, TarContent>> {
  const files = new Map<string, TarContent>([
    ["oci-layout", { path: markerPath(dir) }],
    ["index.json", { path: indexPath(dir) }],
  ]);
  for (const algorithm of await readdir(join(dir, "blobs"))) {
    for (const encoded of await readdir(join(dir, "blobs", algorithm))) {
      files.set(`blobs/${algorithm}/${encoded}`, { path: join(dir, "blobs", algorithm, encoded) });
    }
  }
  return inOrder(files);
}

/** The files that identify the format come first. */
export function inOrder(files: ReadonlyMap<string, TarContent>): ReadonlyMap<string, TarContent> {
  const rank = (name: string) => ["oci-layout", "index.json"].indexOf(name) >>> 0;
  return new Map([...files].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)));
}
