/** Uses a shared cache as one of several users: `node user.mjs FOLDER GROUP NAME`. Prints one JSON document. */
import { digestBytes, readMote } from "@mote/core";
import { FileCache } from "../dist/index.js";

process.umask(Number.parseInt(process.env.UMASK ?? "077", 8));
const [, , root, group, name] = process.argv;
const mediaType = "application/octet-stream";
const cache = new FileCache(root, group === "none" ? {} : { sharedWith: { group: Number(group) } });
const sizes = [1000, 2_000_000];
const contentOf = (user, size) => new Uint8Array(size).fill(user.charCodeAt(0));

async function put(bytes) {
  const digest = digestBytes(bytes);
  await cache.createMote(digest, mediaType, bytes.byteLength);
  const writer = await cache.moteWriter(digest);
  await writer.write(bytes);
  await writer.close();
  return digest;
}

const jobs = {
  initialize: () => cache.initialize(),
  put: async () => {
    for (const size of sizes) await put(contentOf(name, size));
  },
  "put of a manifest": async () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, name }));
    const mote = await cache.createMote(digestBytes(bytes), "application/vnd.oci.image.manifest.v1+json");
    const writer = await cache.moteWriter(mote.digest);
    await writer.write(bytes);
    await writer.close();
  },
  tag: () => cache.tags.tag("shared", { mediaType, digest: digestBytes(contentOf(name, 1000)), size: 1000 }),
  pin: async () => {
    await cache.pinned.pin(digestBytes(contentOf("a", 1000)));
    await cache.pinned.unpin(digestBytes(contentOf("a", 1000)));
  },
  "read of all": async () => {
    for await (const { digest } of cache.motes()) await readMote(cache, digest, { maxBytes: 3_000_000 });
    for await (const { name } of cache.tags.list()) await cache.tags.resolve(name);
  },
  "read of parts": async () => {
    for await (const { digest } of cache.motes()) {
      for await (const _ of await cache.moteReader(digest, { start: 10 }));
    }
  },
  link: async () => {
    for await (const { digest } of cache.motes()) await cache.linkTo(digest, `${root}.out-${name}/target`);
  },
  verify: () => cache.verify(),
  lease: async () => {
    held = await cache.lease([digestBytes(contentOf(name, 1000))]);
  },
  "leave a part": async () => {
    const bytes = contentOf("p", 500_000);
    const writer = await cache.leadMote({ digest: digestBytes(bytes), mediaType, size: bytes.byteLength });
    await writer.write(bytes.subarray(writer.offset, 200_000));
    await writer.suspend();
  },
  prune: () => cache.prune(1_000_000),
};
let held;

const outcome = {};
for (const [job, run] of Object.entries(jobs)) {
  outcome[job] = await run().then(
    () => "done",
    (error) => error.code ?? String(error),
  );
}
await held?.release();
console.log(JSON.stringify(outcome));
