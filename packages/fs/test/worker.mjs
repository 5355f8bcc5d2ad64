/**
 * A process of its own over a cache, for the tests with several: `node worker.mjs FOLDER JOB SEED`. Prints one JSON line, and exits
 * with 1 if anything but a miss went wrong.
 */
import { createHash } from "node:crypto";
import { digestBytes } from "@mote/core";
import { FileCache } from "../dist/index.js";

const [, , root, job, seed = "0"] = process.argv;
const mediaType = "application/octet-stream";
const sizes = [0, 10, 5000, 70_000, 400_000, 2_000_000];
const motes = sizes.map((size) => {
  const bytes = new Uint8Array(size).map((_, n) => (n * 31 + size) ^ (n >> 9));
  return { bytes, digest: digestBytes(bytes) };
});
let state = createHash("sha256").update(seed).digest();
function random(below) {
  state = createHash("sha256").update(state).digest();
  return state.readUInt32LE() % below;
}
const pick = () => motes[random(motes.length)];
const isMiss = (error) => error?.code === "MOTE_NOT_FOUND";

async function put(cache, { digest, bytes }) {
  await cache.createMote(digest, mediaType, bytes.byteLength);
  await using_(await cache.moteWriter(digest), async (writer) => {
    for (let at = 0; at < bytes.byteLength; at += 100_000) await writer.write(bytes.subarray(at, at + 100_000));
    await writer.close();
  });
}

/** Readers verify: a damaged or torn blob ends in MOTE_CORRUPT here. */
async function read(cache, { digest, bytes }) {
  let came = 0;
  for await (const chunk of await cache.moteReader(digest)) came += chunk.byteLength;
  if (came !== bytes.byteLength) throw new Error(`${came} bytes of ${bytes.byteLength}`);
}

async function using_(resource, use) {
  try {
    return await use(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}

const jobs = {
  /** Everything at once, for a while. */
  async mix(cache) {
    const done = {};
    const end = Date.now() + 2000;
    while (Date.now() < end) {
      const action = ["put", "put", "read", "read", "remove", "prune", "verify", "tag", "link"][random(9)];
      const mote = pick();
      done[action] = (done[action] ?? 0) + 1;
      try {
        if (action === "put") await put(cache, mote);
        if (action === "read") await read(cache, mote);
        if (action === "remove") await cache.removeMote(mote.digest);
        if (action === "prune") await cache.prune(random(2_000_000));
        if (action === "link") await cache.linkTo(mote.digest, `${root}.out/${seed}`);
        if (action === "tag") await cache.tags.tag(`${seed}-${random(5)}`, { mediaType, digest: mote.digest, size: 1 });
        if (action === "verify") {
          const { damaged, failed } = await cache.verify();
          if (damaged.length + failed.length > 0) throw new Error(JSON.stringify({ damaged, failed }));
        }
      } catch (error) {
        if (!isMiss(error)) throw error;
      }
    }
    return done;
  },

  /** Puts until it is killed. */
  async put(cache) {
    console.log("started");
    for (;;) await put(cache, pick());
  },

  /** Fetches one mote by single flight, slowly; says what it read of the upstream. */
  async fetch(cache) {
    const { bytes, digest } = motes.at(-1);
    const mote = { digest, mediaType, size: bytes.byteLength };
    let fetched = 0;
    let delivered = 0;
    let first = 0;
    const kinds = [];
    while (delivered < bytes.byteLength) {
      const writer = await cache.leadMote(mote);
      if (writer !== undefined) {
        kinds.push(`lead ${writer.offset}`);
        console.log(JSON.stringify({ leads: writer.offset }));
        for (let at = writer.offset; at < bytes.byteLength; at += 50_000) {
          const chunk = bytes.subarray(at, at + 50_000);
          await writer.write(chunk);
          fetched += chunk.byteLength;
          if (seed === "dies" && at >= bytes.byteLength / 2) process.kill(process.pid, "SIGKILL");
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        await writer.close();
        delivered = bytes.byteLength;
        break;
      }
      const follower = await cache.followMote(digest, { start: delivered });
      if (follower === undefined) continue;
      kinds.push(`follow ${delivered}`);
      try {
        for await (const chunk of follower) {
          if (Buffer.compare(chunk, bytes.subarray(delivered, delivered + chunk.byteLength)) !== 0)
            throw new Error("wrong bytes");
          delivered += chunk.byteLength;
          if (first === 0 && !(await cache.moteExists(digest))) first = delivered;
        }
      } catch (error) {
        if (error?.code !== "MOTE_WRITER_GONE") throw error;
      }
    }
    await read(cache, { digest, bytes });
    return { fetched, kinds, bytesBeforeCommit: first };
  },

  async lease(cache) {
    const lease = await cache.lease([motes[2].digest]);
    console.log("started");
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    await lease.release();
  },
};

const cache = new FileCache(root, { durability: process.env.DURABILITY ?? "grouped" });
await cache.initialize();
console.log(JSON.stringify(await jobs[job](cache)));
