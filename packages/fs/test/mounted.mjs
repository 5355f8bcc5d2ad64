/** Uses a cache on a file system that the caller has mounted: `node mounted.mjs FOLDER JOB`. Prints one JSON document. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestBytes, mediaTypes, readMote } from "@mote/core";
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

async function put(bytes, type = mediaType) {
  const digest = digestBytes(bytes);
  await cache.createMote(digest, type, bytes.byteLength);
  const writer = await cache.moteWriter(digest);
  await writer.write(bytes);
  await writer.close();
}

async function readRange(digest) {
  for await (const _ of await cache.moteReader(digest, { start: 5 }));
}

const jobs = {
  async full() {
    await cache.initialize();
    const large = await failure(put(randomBytes(8_000_000)));
    return { large, parts: readdirSync(join(root, ".mote/ingest")), small: await failure(put(small)) };
  },

  async "full prune"() {
    await cache.initialize();
    const image = [];
    for (const mediaType of [mediaTypes.ociConfig, mediaTypes.ociLayer]) {
      const bytes = randomBytes(1000);
      await put(bytes);
      image.push({ mediaType, digest: digestBytes(bytes), size: 1000 });
    }
    const [config, ...layers] = image;
    const body = new TextEncoder().encode(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }),
    );
    await put(body, mediaTypes.ociManifest);
    await cache.tags.tag("name", {
      mediaType: mediaTypes.ociManifest,
      digest: digestBytes(body),
      size: body.byteLength,
    });
    let outcome;
    for (let size = 1_000_000; size >= 1000; size = Math.floor(size / 2)) {
      do outcome = await failure(put(randomBytes(size)));
      while (outcome === "none");
    }
    // To the last page.
    try {
      for (let n = 0; ; n++) writeFileSync(join(root, `filler-${n}`), "x");
    } catch {
      // Full.
    }
    const full = await failure(put(randomBytes(1000)));
    const report = await cache.prune(0);
    return {
      full,
      reached: report.reached,
      untagged: report.untagged,
      view: JSON.parse(readFileSync(join(root, "index.json"), "utf8")).manifests,
      small: await failure(put(small)),
    };
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
      dryRun: await failure(cache.prune(0, { dryRun: true })),
      verify: await failure(cache.verify()),
      part: await failure(readRange(digest)),
    };
  },
};

console.log(JSON.stringify(await jobs[job]()));
