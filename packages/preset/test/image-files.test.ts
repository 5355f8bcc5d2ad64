import { gzipSync } from "node:zlib";
import { MemoryBlobInfoCache } from "@mote/bic-memory";
import { type Descriptor, MemoryCache, MemoryTagStore, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OpenMote, openMote } from "../src/index.js";
import { put } from "./images.js";

let cache: MemoryCache;
let tags: MemoryTagStore;
let mote: OpenMote;

beforeEach(async () => {
  cache = new MemoryCache();
  tags = new MemoryTagStore();
  mote = await openMote({ cache, tags, bic: new MemoryBlobInfoCache() });
});
afterEach(() => mote.close());

describe("an image in the cache", () => {
  it.each([
    ["not compressed", (bytes: Uint8Array) => bytes],
    ["compressed with gzip", (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes))],
  ])("returns the files of a layer that is %s", async (_, compress) => {
    const layer = await put(cache, mediaTypes.ociLayerGzip, compress(tarOf("etc/motd", "hello\n")));
    await tags.tag("files", await manifestOf(layer));
    const opened = await mote.image("files");
    expect(await opened.config()).toEqual({ os: "linux" });
    const found: unknown[] = [];
    for await (const { name, type, size, content } of opened.layers[0]?.entries() ?? []) {
      const texts: string[] = [];
      for await (const chunk of content) texts.push(new TextDecoder().decode(chunk));
      found.push({ name, type, size, text: texts.join("") });
    }
    expect(found).toEqual([{ name: "etc/motd", type: "file", size: 6, text: "hello\n" }]);
  });

  it.each([
    ["is cut", tarOf("a", "x").subarray(0, 600), "MOTE_INVALID_ARCHIVE"],
    ["is not a tar", new Uint8Array(1024).fill(7), "MOTE_INVALID_ARCHIVE"],
    ["is damaged gzip", gzipSync(tarOf("a", "x")).subarray(0, 40), "MOTE_INVALID_ARCHIVE"],
    ["uncompresses to too much", gzipSync(new Uint8Array(20_000_000)), "MOTE_TOO_LARGE"],
  ])("fails if a layer %s", async (_, bytes, code) => {
    await tags.tag("files", await manifestOf(await put(cache, mediaTypes.ociLayerGzip, new Uint8Array(bytes))));
    await using bounded = await openMote({ cache, tags, unpack: { maxUnpackedBytes: 1_000_000 } });
    const opened = await bounded.image("files");
    const read = async () => {
      for await (const _ of opened.layers[0]?.entries() ?? []);
    };
    await expect(read()).rejects.toMatchObject({ code });
  });

  it("is not returned for the digest of a blob", async () => {
    const blob = await put(cache, mediaTypes.octetStream, new TextEncoder().encode("no manifest"));
    await expect(mote.image(blob.digest)).rejects.toMatchObject({ code: "MOTE_INVALID_MANIFEST" });
    await expect(mote.image("none")).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
  });

  async function manifestOf(layer: Descriptor): Promise<Descriptor> {
    const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));
    const config = await put(cache, mediaTypes.ociConfig, json({ os: "linux" }));
    const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
    return put(cache, mediaTypes.ociManifest, json(body));
  }
});

/** Returns an uncompressed tar of one file. */
function tarOf(name: string, text: string): Uint8Array {
  const tar = Buffer.alloc(512 + 512 * Math.ceil(text.length / 512) + 1024);
  tar.write(name, 0);
  tar.write("0000644\0", 100);
  tar.write("0000000\0", 108);
  tar.write("0000000\0", 116);
  tar.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124);
  tar.write("00000000000\0", 136);
  tar.write("        0", 148);
  tar.write("ustar\x0000", 257);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  tar.write(text, 512);
  return new Uint8Array(tar);
}
