import { lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { digestBytes, type Manifest, mediaTypes } from "@mote/core";
import { FilesDestination } from "@mote/layout";
import fc from "fast-check";
import { ArchiveFiles } from "../../../../packages/layout/src/tar/archive-files.js";
import { readTar } from "../../../../packages/layout/src/tar/tar-reader.js";
import { mutated } from "../mutations.js";
import { paxBytes, tarBytes, tarWithPax } from "../tar-bytes.js";
import { assert, target } from "../target.js";
import { inFolder } from "../temporary.js";

const maxUnpackedBytes = 64 * 1024 * 1024;

export const tar = target("archives of images: the list of a tar's files", mutated(tarBytes), (bytes) =>
  inFolder(async (folder) => {
    const path = join(folder, "archive.tar");
    writeFileSync(path, bytes);
    await using files = new ArchiveFiles(path);
    await files.assertThere();
  }),
);

export const pax = target("extended headers of tar: readTar", mutated(paxBytes).map(tarWithPax), async (bytes) => {
  for await (const { size } of readTar(chunksOf(bytes), "here")) {
    assert(Number.isSafeInteger(size) && size >= 0, "a size is an integer");
  }
});

interface Layer {
  readonly bytes: Uint8Array;
  readonly title: string;
  readonly isFolder: boolean;
}

const layer: fc.Arbitrary<Layer> = fc.record({
  bytes: fc.oneof(
    mutated(tarBytes),
    tarBytes.map((bytes): Uint8Array => gzipSync(bytes, { level: 1 })),
  ),
  title: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(".", "a", "b", "a/b", "link") },
    {
      weight: 1,
      arbitrary: fc.constantFrom("../out/x", "/tmp/x", "", "a/", "a//b", "a/../b", "link/x", "A", "\0", "C:x"),
    },
  ),
  isFolder: fc.boolean(),
});

export const unpack = target(
  "artifacts into a directory: nothing is written outside",
  fc.tuple(fc.array(layer, { minLength: 1, maxLength: 3 }), fc.boolean()),
  ([layers, overwrite]) =>
    inFolder(async (folder) => {
      const into = join(folder, "into");
      const out = join(folder, "out");
      for (const path of [into, out]) mkdirSync(path);
      writeFileSync(join(out, "canary"), "canary");
      symlinkSync(out, join(into, "link"));
      try {
        await pull(into, layers, overwrite);
      } finally {
        assert(readdirSync(folder).sort().join() === "into,out", "nothing is created next to the destination");
        assert(readdirSync(out).join() === "canary", "nothing is created in another directory");
        assert(readFileSync(join(out, "canary"), "utf8") === "canary", "the canary is unchanged");
        for (const name of readdirSync(into, { recursive: true, encoding: "utf8" })) assertInside(into, name);
      }
    }),
);

async function pull(into: string, layers: readonly Layer[], overwrite: boolean): Promise<void> {
  const descriptors = layers.map(({ bytes, title, isFolder }) => ({
    mediaType: mediaTypes.ociLayer,
    digest: digestBytes(bytes),
    size: bytes.length,
    annotations: {
      "org.opencontainers.image.title": title,
      ...(isFolder ? { "io.deis.oras.content.unpack": "true" } : {}),
    },
  }));
  const config = { mediaType: mediaTypes.ociEmpty, digest: digestBytes(new Uint8Array()), size: 0 };
  const manifest: Manifest = { kind: "manifest", mediaType: mediaTypes.ociManifest, config, layers: descriptors };
  const { kind: _, ...document } = manifest;
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, ...document }));
  await using destination = new FilesDestination(into, { overwrite, maxUnpackedBytes });
  await destination.expect(manifest);
  for (const [at, descriptor] of descriptors.entries()) {
    if (!(await destination.has(descriptor))) await destination.blob(descriptor, chunksOf(layers[at]?.bytes));
  }
  await destination.manifest({ mediaType: manifest.mediaType, digest: digestBytes(bytes), size: bytes.length }, bytes);
  await destination.commit();
}

async function* chunksOf(bytes: Uint8Array = new Uint8Array()): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
}

function assertInside(folder: string, name: string): void {
  if (name === "link") return;
  const path = join(folder, name);
  const stats = lstatSync(path);
  assert(
    stats.isFile() || stats.isDirectory() || stats.isSymbolicLink(),
    "there are only files, directories and links",
  );
  assert((stats.mode & 0o7000) === 0, "no file has special permissions");
  if (!stats.isSymbolicLink()) return;
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return;
  }
  assert(real === folder || real.startsWith(`${folder}/`), "every link stays inside");
}
