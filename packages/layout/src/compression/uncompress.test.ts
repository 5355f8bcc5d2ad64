import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { needs } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OciArchiveDestination } from "../archive/oci-archive-destination.js";
import { OciArchiveSource } from "../archive/oci-archive-source.js";
import { FolderFiles } from "../disk/named-files.js";
import { FilesDestination } from "../files/files-destination.js";
import { LayoutDestination } from "../oci/layout-destination.js";
import { tarChunks } from "../tar/tar-file.js";
import { uncompressed } from "./uncompress.js";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-uncompress-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

function block(kind: "raw" | "rle", size: number, isLast: boolean, content: Uint8Array): Buffer {
  const head = (size << 3) | ((kind === "rle" ? 1 : 0) << 1) | (isLast ? 1 : 0);
  return Buffer.concat([Buffer.from([head & 255, (head >> 8) & 255, (head >> 16) & 255]), content]);
}

/** Returns a zstd frame (RFC 8878) of raw blocks. */
function zstdOf(bytes: Uint8Array): Buffer {
  const most = 100_000;
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength; at += most) {
    const part = bytes.subarray(at, at + most);
    blocks.push(block("raw", part.byteLength, at + most >= bytes.byteLength, part));
  }
  return Buffer.concat([magic, Buffer.from([0, 0x50]), ...blocks]);
}

async function read(bytes: Uint8Array): Promise<Buffer> {
  await writeFile(join(dir, "file"), bytes);
  const file = await new FolderFiles(dir).open("file");
  try {
    return await joined(uncompressed(file, "a file", { compression: "zstd" }));
  } finally {
    await file.handle.close();
  }
}

describe("zstd", () => {
  const bytes = Buffer.from(Array.from({ length: 250_000 }, (_, at) => (at * 7) % 251));

  it("is uncompressed, in one frame or several", async () => {
    expect((await read(zstdOf(bytes))).equals(bytes)).toBe(true);
    const two = Buffer.concat([zstdOf(bytes.subarray(0, 1000)), zstdOf(bytes.subarray(1000))]);
    expect((await read(two)).equals(bytes)).toBe(true);
  });

  it("that is truncated, damaged, or has too large a window is an invalid archive", async () => {
    const whole = zstdOf(bytes);
    const wide = Buffer.concat([magic, Buffer.from([0, 0xff]), block("raw", 1, true, Buffer.from("a"))]);
    const reserved = Buffer.concat([magic, Buffer.from([0, 0x50, 0x07, 0, 0])]);
    for (const bad of [whole.subarray(0, whole.byteLength - 1), whole.subarray(0, 150_000), reserved, wide]) {
      await expect(read(bad)).rejects.toMatchObject({ code: "MOTE_INVALID_ARCHIVE" });
    }
  });

  it("that expands ten-thousandfold is returned in chunks", async () => {
    const blocks = Array.from({ length: 2000 }, (_, at) => block("rle", 131_072, at === 1999, Buffer.from("z")));
    await writeFile(join(dir, "file"), Buffer.concat([magic, Buffer.from([0, 0x50]), ...blocks]));
    const file = await new FolderFiles(dir).open("file");
    let total = 0;
    for await (const chunk of uncompressed(file, "a file", { compression: "zstd" })) {
      expect(chunk.byteLength).toBeLessThanOrEqual(1024 * 1024);
      total += chunk.byteLength;
    }
    await file.handle.close();
    expect(total).toBe(2000 * 131_072);
  });
});

it("an OCI archive in zstd is read", async () => {
  const path = join(dir, "image.tar");
  const config = { mediaType: mediaTypes.ociEmpty, digest: digestBytes(Buffer.from("{}")), size: 2 };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }),
  );
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
  await using archive = new OciArchiveDestination(path);
  await archive.blob(config, once(Buffer.from("{}")));
  await archive.manifest(manifest, bytes);
  await archive.tag("1", manifest);
  await archive.commit();
  await writeFile(`${path}.zst`, zstdOf(await readFile(path)));
  await using source = new OciArchiveSource(`${path}.zst`);
  expect(await source.resolve("1")).toMatchObject(manifest);
});

it("a directory in zstd is unpacked, and its uncompressed digest is computed from its bytes", async () => {
  const tar = await joined(tarChunks(new Map([["data/a.txt", { bytes: Buffer.from("hello") }]]), {}));
  const zstd = zstdOf(tar);
  const layer: Descriptor = {
    mediaType: mediaTypes.ociLayerZstd,
    digest: digestBytes(zstd),
    size: zstd.byteLength,
    annotations: { "org.opencontainers.image.title": "data", "io.deis.oras.content.unpack": "true" },
  };
  const config = { mediaType: mediaTypes.ociEmpty, digest: digestBytes(Buffer.from("{}")), size: 2 };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }),
  );
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
  await using files = new FilesDestination(join(dir, "into"));
  await files.blob(layer, once(zstd));
  await files.manifest(manifest, bytes);
  await files.commit();
  expect(await readFile(join(dir, "into", "data", "a.txt"), "utf8")).toBe("hello");
  expect([...files.decompressedBlobs()]).toEqual([
    { digest: layer.digest, untransformed: digestBytes(tar), transformer: "zstd" },
  ]);
});

const wanted = needs("skopeo");

it.skipIf(wanted !== "")(`content that skopeo compressed with zstd is uncompressed${wanted}`, async () => {
  const tar = Buffer.from("a line of text that is repeated\n".repeat(40_000));
  const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const layer = { mediaType: mediaTypes.ociLayer, digest: digestBytes(tar), size: tar.byteLength };
  const json = Buffer.from(
    JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [sha256(tar)] } }),
  );
  const config = { mediaType: mediaTypes.ociConfig, digest: digestBytes(json), size: json.byteLength };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }),
  );
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
  await using layout = new LayoutDestination(join(dir, "layout"));
  await layout.blob(layer, once(tar));
  await layout.blob(config, once(json));
  await layout.manifest(manifest, bytes);
  await layout.tag("1", manifest);
  const args = ["--insecure-policy", "copy", "--dest-compress-format", "zstd", "--dest-compress"];
  execFileSync("skopeo", [...args, `oci:${join(dir, "layout")}:1`, `dir:${join(dir, "zstd")}`], { stdio: "ignore" });
  const compressed: Buffer[] = [];
  for (const name of await readdir(join(dir, "zstd"))) {
    const content = await readFile(join(dir, "zstd", name));
    if (content.subarray(0, 4).equals(magic)) compressed.push(content);
  }
  expect(compressed).toHaveLength(1);
  expect((await read(compressed[0] ?? Buffer.alloc(0))).equals(tar)).toBe(true);
});
