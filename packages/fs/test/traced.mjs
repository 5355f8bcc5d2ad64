/**
 * A process to trace: `node traced.mjs FOLDER DURABILITY put COUNT SIZE AT-ONCE`, or with the job `images`, `remove` or `prune`.
 * `images` prints the images that it has created.
 */
import { randomBytes } from "node:crypto";
import { digestBytes, mediaTypes } from "@mote/core";
import { FileCache } from "../dist/index.js";

const [, , root, durability, job, count, size, atOnce] = process.argv;
const cache = new FileCache(root, { durability });
await cache.initialize();

async function put(bytes, mediaType) {
  const digest = digestBytes(bytes);
  await cache.createMote(digest, mediaType, bytes.byteLength);
  const writer = await cache.moteWriter(digest);
  await writer.write(bytes);
  await writer.close();
  return { mediaType, digest, size: bytes.byteLength };
}

const jobs = {
  async put() {
    let left = Number(count);
    const work = async () => {
      while (left-- > 0) await put(randomBytes(Number(size)), mediaTypes.octetStream);
    };
    await Promise.all(Array.from({ length: Number(atOnce) }, work));
  },

  async images() {
    const images = {};
    for (const name of ["one", "two", "three"]) {
      const config = await put(Buffer.from(JSON.stringify({ name })), mediaTypes.ociConfig);
      const layers = [
        await put(Buffer.from("shared"), mediaTypes.ociLayer),
        await put(randomBytes(100_000), mediaTypes.ociLayer),
      ];
      const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
      const manifest = await put(Buffer.from(JSON.stringify(body)), mediaTypes.ociManifest);
      await cache.tags.tag(name, manifest);
      images[name] = [manifest, config, ...layers].map(({ digest }) => cache.moteRef(digest));
    }
    console.log(JSON.stringify(images));
  },

  async remove() {
    for await (const { digest } of cache.motes()) await cache.removeMote(digest);
  },

  async prune() {
    await cache.prune(0);
  },
};

await jobs[job]();
await cache[Symbol.asyncDispose]();
