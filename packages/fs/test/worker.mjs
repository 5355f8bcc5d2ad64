/**
 * One of several processes that use a cache: `node worker.mjs FOLDER JOB SEED`. Prints one JSON line, and exits
 * with 1 after any error except a miss.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { digestBytes, mediaTypes, readMote } from "@mote/core";
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

async function put(cache, { digest, bytes, mediaType: type = mediaType }) {
  await cache.createMote(digest, type, bytes.byteLength);
  await using_(await cache.moteWriter(digest), async (writer) => {
    for (let at = 0; at < bytes.byteLength; at += 100_000) await writer.write(bytes.subarray(at, at + 100_000));
    await writer.close();
  });
}

/** Reads a mote. A damaged or torn blob fails with MOTE_CORRUPT. */
async function read(cache, { digest, bytes }) {
  let received = 0;
  for await (const chunk of await cache.moteReader(digest)) received += chunk.byteLength;
  if (received !== bytes.byteLength) throw new Error(`${received} bytes of ${bytes.byteLength}`);
}

async function using_(resource, use) {
  try {
    return await use(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}

let pulled = 0;
let served = 0;
let pruned = 0;
const descriptorOf = ({ digest, bytes, mediaType }) => ({ digest, mediaType, size: bytes.byteLength });

const text = (value) => new TextEncoder().encode(value);
const moteOf = (value, type, below = []) => {
  const bytes = text(value);
  return { bytes, digest: digestBytes(bytes), mediaType: type, below };
};

/** Returns an image that shares a layer with all others. */
function image(name) {
  const config = moteOf(JSON.stringify({ name }), mediaTypes.ociConfig);
  const layers = ["shared", name].map((layer) => moteOf(layer.padEnd(30_000, "-"), mediaTypes.ociLayer));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: descriptorOf(config) };
  const manifest = JSON.stringify({ ...body, layers: layers.map(descriptorOf) });
  return moteOf(manifest, mediaTypes.ociManifest, [config, ...layers]);
}

function index(name, below) {
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, annotations: { name } };
  return moteOf(JSON.stringify({ ...body, manifests: below.map(descriptorOf) }), mediaTypes.ociIndex, below);
}

// Few, so that each is pulled, served and removed by several processes; some images are in several indexes.
const images = ["a", "b", "c", "d"].map(image);
const indexes = [index("ab", images.slice(0, 2)), index("bcd", images.slice(1))];
const tops = [...images, ...indexes, index("outer", [indexes[0], images[3]])];
const pickTop = () => tops[random(tops.length)];

/** Returns a mote after everything that it refers to. */
function withAllBelow(mote) {
  const all = [...mote.below.flatMap(withAllBelow), mote];
  return [...new Map(all.map((each) => [each.digest, each])).values()];
}

async function expectThere(cache, motes, who) {
  for (const { digest } of motes)
    if (!(await cache.moteExists(digest))) throw new Error(`${who}: ${digest} is missing`);
}

const jobs = {
  /** Executes random operations for two seconds. */
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

  /** Pulls images, as a transfer does: leases what is needed, adds what is missing, then sets a tag, a pin, or neither. Others prune. */
  async pull(cache) {
    const end = Date.now() + 2000;
    for (let n = 0; Date.now() < end; n++) {
      const top = random(3) === 0 ? index(`${seed} ${n}`, [pickTop()]) : pickTop();
      const all = withAllBelow(top);
      const lease = await cache.lease(all.map(({ digest }) => digest));
      for (const mote of all) if (!(await cache.moteExists(mote.digest))) await put(cache, mote);
      const how = ["tag", "tag", "pin", "neither"][random(4)];
      if (how === "tag") {
        for (const name of [`own-${seed}`, "latest"]) await cache.tags.tag(name, descriptorOf(top));
        const own = await cache.tags.resolve(`own-${seed}`);
        if (own?.digest !== top.digest) throw new Error("the tag of a leased image was removed");
      }
      await expectThere(cache, all, "leased");
      const own = index(`pinned by ${seed}`, [top]);
      if (how === "pin") {
        await lease.add(own.digest);
        await put(cache, own);
        await cache.pinned.pin(own.digest);
      }
      await lease.release();
      if (how === "pin") {
        for (let look = 0; look < 3; look++) {
          await expectThere(cache, [own, ...all], "pinned");
          await new Promise((resolve) => setTimeout(resolve, random(5)));
        }
        await cache.pinned.unpin(own.digest);
      }
      pulled++;
    }
    return { pulled };
  },

  /** Serves images, as a registry does: a client that has a manifest can read everything that it refers to. */
  async serve(cache) {
    const end = Date.now() + 2000;
    while (Date.now() < end) {
      const top = pickTop();
      const lease = await cache.lease([top.digest]);
      const bytes = await readMote(cache, top.digest, { maxBytes: 100_000 }).catch((error) => {
        if (!isMiss(error)) throw error;
      });
      if (bytes !== undefined) {
        await expectThere(cache, withAllBelow(top), "served");
        for (const { digest } of withAllBelow(top)) await readMote(cache, digest, { maxBytes: 1_000_000 });
        served++;
      }
      await lease.release();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { served };
  },

  async prune(cache) {
    const end = Date.now() + 2000;
    while (Date.now() < end) {
      const how = random(4);
      const { removed } =
        how === 0 ? await cache.removeClosure([pickTop().digest]) : await cache.prune(how === 1 ? 0 : random(200_000));
      pruned += removed.length;
      await new Promise((resolve) => setTimeout(resolve, random(10)));
    }
    return { pruned };
  },

  /** Puts motes until it is killed. */
  async put(cache) {
    console.log("started");
    for (;;) await put(cache, pick());
  },

  /** Slowly fetches one mote, as leader or follower; reports the bytes that it read from the upstream. */
  async fetch(cache) {
    const { bytes, digest } = motes.at(-1);
    const mote = { digest, mediaType, size: bytes.byteLength };
    let fetched = 0;
    let delivered = 0;
    let first = 0;
    const kinds = [];
    const followers = Number(process.env.FOLLOWERS ?? 0);
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
        // The others may start late.
        while (fs.readdirSync(dirname(root)).filter((name) => name.startsWith("followed-")).length < followers)
          await new Promise((resolve) => setTimeout(resolve, 10));
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
          if (first === 0 && !(await cache.moteExists(digest))) {
            first = delivered;
            fs.writeFileSync(join(dirname(root), `followed-${process.pid}`), "");
          }
        }
      } catch (error) {
        if (error?.code !== "MOTE_WRITER_GONE") throw error;
      }
    }
    await read(cache, { digest, bytes });
    return { fetched, kinds, bytesBeforeCommit: first };
  },

  /** Is killed during a move, before the rename. */
  async move(cache) {
    const { bytes, digest } = motes[4];
    fs.writeFileSync(`${root}.source`, bytes);
    fs.fdatasync = () => process.kill(process.pid, "SIGKILL");
    await cache.commitMote(`${root}.source`, { digest, mediaType, size: bytes.byteLength }, "move");
  },

  /** Stops, as by Ctrl-Z, after checking the leases and before removing the first file whose path contains STOP_AT. */
  async "stopped-prune"(cache) {
    const { unlinkSync } = fs;
    fs.unlinkSync = (path) => {
      if (String(path).includes(process.env.STOP_AT)) {
        fs.unlinkSync = unlinkSync;
        fs.writeSync(1, "stops\n");
        process.kill(process.pid, "SIGSTOP");
      }
      unlinkSync(path);
    };
    const { removed, skipped, untagged, reached } = await cache.prune(0);
    return { removed: removed.map(({ digest }) => digest), skipped, untagged, reached };
  },

  /** Sets and removes 250 names until it is killed; prints each change before it is made, and an empty line when it is. */
  async names(cache) {
    const tell = (line) => fs.writeSync(1, `${line}\n`);
    for (;;) {
      const at = random(250);
      const name = `registry.example/team/app${at % 5}:${seed}-${at}`;
      const { digest, bytes } = pick();
      const isSet = random(3) > 0;
      tell(JSON.stringify({ name, digest: isSet ? digest : null }));
      if (isSet) await cache.tags.tag(name, { digest, mediaType: mediaTypes.ociManifest, size: bytes.byteLength });
      else await cache.tags.untag(name);
      tell("");
    }
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
