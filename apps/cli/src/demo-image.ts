import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream";
import { fileURLToPath } from "node:url";
import { createGzip } from "node:zlib";
import {
  collectChunks,
  createDigester,
  type Descriptor,
  digestBytes,
  type MoteCache,
  mediaTypes,
  writeMote,
} from "@mote/core";

interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: string;
}

const maxLayerBytes = 512 * 1024 * 1024;

/** Stores an image of the files of this installation in `cache`. Returns the descriptor of its manifest. */
export async function makeDemoImage(cache: MoteCache): Promise<Descriptor> {
  const layers: Layer[] = [];
  for (const { folder, target } of realFolders()) layers.push(await putLayer(cache, folder, target));
  const config = await put(cache, mediaTypes.ociConfig, {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Entrypoint: ["/mote/main.js"] },
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
  });
  return put(cache, mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: layers.map(({ descriptor }) => descriptor),
  });
}

/** Returns directories that exist wherever the command runs: its own, those of lmdb and its binary, and that of npm next to Node. */
function realFolders(): { folder: string; target: string }[] {
  const require = createRequire(import.meta.url);
  const lmdb = join(dirname(require.resolve("lmdb")), "..");
  const binary = join(lmdb, "..", "@lmdb", `lmdb-${process.platform}-${process.arch}`);
  const npm = join(dirname(process.execPath), "..", "lib", "node_modules", "npm");
  return [
    { folder: dirname(fileURLToPath(import.meta.url)), target: "mote" },
    { folder: lmdb, target: "lmdb" },
    { folder: binary, target: "lmdb-binary" },
    { folder: npm, target: "npm" },
  ].filter(({ folder }) => existsSync(folder));
}

async function putLayer(cache: MoteCache, folder: string, target: string): Promise<Layer> {
  const { packTar } = await import("modern-tar/fs");
  const plain = createDigester();
  const tar = packTar([{ type: "directory", source: folder, target }], {
    dereference: false,
    filter: (_path, stat) => stat.isFile() || stat.isDirectory(),
  });
  tar.on("data", (chunk: Uint8Array) => plain.update(chunk));
  // The reader of the compressed stream gets the errors of the archive.
  const gzip = pipeline(tar, createGzip(), () => {});
  const bytes = await collectChunks(gzip, { maxBytes: maxLayerBytes, what: target });
  const descriptor = await putBytes(cache, mediaTypes.ociLayerGzip, bytes);
  return { descriptor, diffId: plain.digest() };
}

function put(cache: MoteCache, mediaType: string, document: object): Promise<Descriptor> {
  return putBytes(cache, mediaType, new TextEncoder().encode(JSON.stringify(document)));
}

async function putBytes(cache: MoteCache, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestBytes(bytes);
  await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}
