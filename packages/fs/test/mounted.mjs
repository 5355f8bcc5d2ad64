/** What a cache does on a file system that the caller has mounted: `node mounted.mjs FOLDER JOB`. Prints one JSON document. */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { digestBytes, readMote } from "@mote/core";
import { FileCache } from "../dist/index.js";

const [, , root, job] = process.argv;
const mediaType = "application/octet-stream";
const small = new Uint8Array(1000).fill(1);
const failure = (work) =>
  work.then(
    () => "none",
    (error) => error.code ?? String(error),
  );
const cache = new FileCache(root);

async function put(bytes) {
  const digest = digestBytes(bytes);
  await cache.createMote(digest, mediaType, bytes.byteLength);
  const writer = await cache.moteWriter(digest);
  await writer.write(bytes);
  await writer.close();
}

const jobs = {
  async full() {
    await cache.initialize();
    const large = await failure(put(randomBytes(8_000_000)));
    return { large, parts: readdirSync(join(root, ".mote/ingest")), small: await failure(put(small)) };
  },

  async "read-only"() {
    const digest = digestBytes(small);
    return {
      initialize: await failure(cache.initialize()),
      read: await failure(readMote(cache, digest, { maxBytes: 1000 })),
      linkTo: await failure(cache.linkTo(digest, `${root}.out/target`)),
      write: await failure(put(randomBytes(1000))),
      tag: await failure(cache.tags.tag("name", { mediaType, digest, size: 1000 })),
      prune: await failure(cache.prune(0)),
    };
  },
};

console.log(JSON.stringify(await jobs[job]()));
