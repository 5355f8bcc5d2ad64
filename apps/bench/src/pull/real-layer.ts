import { spawn } from "node:child_process";
import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { createGzip, gzipSync } from "node:zlib";

const roots = ["/usr/bin", "/usr/lib", "/usr/share"];
const maxFileBytes = 8 * 1024 * 1024;

/** Returns a gzip layer, of roughly this many bytes, of files of this machine. Layers with different numbers of `count` share no files. */
export function realLayer(number: number, count: number, bytes: number): AsyncIterable<Uint8Array> {
  const chosen = chooseFiles(number, count, bytes).join("\0");
  const options = ["--numeric-owner", "--owner=0", "--group=0", "--mtime=@0", "--ignore-failed-read"];
  const command = ["--create", ...options, "--absolute-names", "--null", "--files-from=-", "--file=-"];
  const tar = spawn("tar", command, { stdio: ["pipe", "pipe", "inherit"] });
  pipeline(Readable.from([chosen]), tar.stdin, () => {});
  const gzip = createGzip();
  pipeline(tar.stdout, gzip, () => {});
  return gzip;
}

/** Chooses files by the size that each would have alone, which is roughly its share of the layer. */
function chooseFiles(number: number, count: number, bytes: number): string[] {
  const chosen: string[] = [];
  let left = bytes;
  let at = 0;
  for (const path of filesBelow(roots)) {
    if (at++ % count !== number) continue;
    left -= gzipSync(readFileSync(path)).byteLength;
    chosen.push(path);
    if (left <= 0) break;
  }
  return chosen;
}

/** Yields regular files in the order of their names, those of a folder before those of the folders in it. */
function* filesBelow(folders: readonly string[]): Generator<string, void, undefined> {
  for (const folder of folders) {
    const entries = readdirSync(folder, { withFileTypes: true }).sort((one, other) => (one.name < other.name ? -1 : 1));
    const paths = (wanted: (entry: Dirent) => boolean) => entries.filter(wanted).map(({ name }) => join(folder, name));
    for (const path of paths((entry) => entry.isFile())) {
      const { size } = statSync(path);
      if (size > 0 && size <= maxFileBytes) yield path;
    }
    yield* filesBelow(paths((entry) => entry.isDirectory()));
  }
}
