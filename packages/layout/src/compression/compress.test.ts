import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import zlib, { gunzipSync } from "node:zlib";
import { digestBytes, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { OciArchiveDestination } from "../archive/oci-archive-destination.js";
import { OciArchiveSource } from "../archive/oci-archive-source.js";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-compress-"));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function writeArchive(name: string): Promise<Buffer> {
  const content = Buffer.from("{}");
  const config = { mediaType: mediaTypes.ociEmpty, digest: digestBytes(content), size: content.byteLength };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }),
  );
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
  await using archive = new OciArchiveDestination(join(dir, name));
  await archive.blob(
    config,
    (async function* () {
      yield content;
    })(),
  );
  await archive.manifest(manifest, bytes);
  await archive.tag("1", manifest);
  await archive.commit();
  await using source = new OciArchiveSource(join(dir, name));
  expect(await source.resolve("1")).toMatchObject(manifest);
  return readFile(join(dir, name));
}

it("an archive with a gzip name is compressed, reproducible and readable", async () => {
  const plain = await writeArchive("image.tar");
  for (const name of ["image.tar.gz", "image.tgz"]) {
    const compressed = await writeArchive(name);
    expect(gunzipSync(compressed).equals(plain)).toBe(true);
    expect((await writeArchive(name)).equals(compressed)).toBe(true);
  }
});

it("an archive with a zstd name is compressed if Node supports it, and otherwise rejected before it is created", async () => {
  if ("createZstdCompress" in zlib) {
    expect((await writeArchive("image.tar.zst")).subarray(0, 4)).toEqual(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]));
  } else {
    await expect(writeArchive("image.tar.zst")).rejects.toMatchObject({ code: "MOTE_UNSUPPORTED_FORMAT" });
    expect(await readdir(dir)).toEqual([]);
  }
});
