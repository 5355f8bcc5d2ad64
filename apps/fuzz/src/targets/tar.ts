import { lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { ArchiveFiles } from "../../../../packages/layout/src/named-files.js";
import { readPax } from "../../../../packages/layout/src/tar-entries.js";
import { unpackTar } from "../../../../packages/layout/src/unpack-tar.js";
import { mutated } from "../mutations.js";
import { paxBytes, tarBytes } from "../tar-bytes.js";
import { assert, target } from "../target.js";
import { inFolder } from "../temporary.js";

export const tar = target("archives of images: the list of a tar's files", mutated(tarBytes), (bytes) =>
  inFolder(async (folder) => {
    const path = join(folder, "archive.tar");
    writeFileSync(path, bytes);
    await using files = new ArchiveFiles(path);
    await files.assertThere();
  }),
);

export const unpack = target(
  "folders of artifacts: nothing is written outside the destination",
  mutated(fc.oneof({ weight: 5, arbitrary: tarBytes }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 1024 }) })),
  (bytes) =>
    inFolder(async (folder) => {
      const path = join(folder, "archive.tar");
      const into = join(folder, "into");
      writeFileSync(path, bytes);
      mkdirSync(into);
      mkdirSync(join(folder, "out"));
      writeFileSync(join(folder, "out", "canary"), "canary");
      try {
        await unpackTar(path, into, { title: "." });
      } finally {
        assert(readdirSync(folder).sort().join() === "archive.tar,into,out", "nothing is beside the destination");
        assert(readdirSync(join(folder, "out")).join() === "canary", "nothing is in the folder beside it");
        assert(readFileSync(join(folder, "out", "canary"), "utf8") === "canary", "the canary is alive");
        for (const name of readdirSync(into, { recursive: true, encoding: "utf8" }))
          assertInside(into, join(into, name));
      }
    }),
);

export const pax = target("extended headers of tar: readPax", mutated(paxBytes), (bytes) => {
  const { size, name } = readPax(bytes, "here");
  assert(size === undefined || (Number.isSafeInteger(size) && size >= 0), "a size is a whole number");
  assert(name === undefined || !name.includes("\0"), "a name ends at a zero");
});

function assertInside(folder: string, path: string): void {
  const stats = lstatSync(path);
  assert(stats.isFile() || stats.isDirectory() || stats.isSymbolicLink(), "there are files, folders and links only");
  assert((stats.mode & 0o7000) === 0, "no file has special permissions");
  if (!stats.isSymbolicLink()) return;
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return;
  }
  assert(
    real === realpathSync(folder) || real.startsWith(`${realpathSync(folder)}/`),
    "every link leads to the inside",
  );
}
