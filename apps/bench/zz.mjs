import crypto from "node:crypto";
import fs from "node:fs";
import cacache from "cacache";
import { digestBytes } from "/work/main/packages/core/dist/index.js";
import { FileCache } from "/work/main/packages/fs/dist/index.js";

const root = process.argv[2] ?? "/dev/shm/b";
const N = Number(process.argv[3] ?? 4000);
const med = (a) => a.sort((x, y) => x - y)[a.length >> 1];
async function conc(n, k, fn) {
  let i = 0;
  await Promise.all(
    Array.from({ length: k }, async () => {
      while (i < n) {
        await fn(i++);
      }
    }),
  );
}
const res = {};
const add = (k, v) => (res[k] ??= []).push(v);
for (let round = 0; round < 5; round++) {
  fs.rmSync(root, { recursive: true, force: true });
  fs.mkdirSync(root, { recursive: true });
  const blobs = Array.from({ length: N }, () => crypto.randomBytes(4096));
  const digests = blobs.map((b) => digestBytes(b));
  const t = (k, f) => {};
  let s = performance.now();
  fs.mkdirSync(root + "/bare/t", { recursive: true });
  for (let i = 0; i < N; i++) {
    const fd = fs.openSync(root + "/bare/t/" + i, "wx", 0o444);
    fs.writeSync(fd, blobs[i]);
    const h = crypto.createHash("sha256").update(blobs[i]).digest("hex");
    fs.closeSync(fd);
    fs.renameSync(root + "/bare/t/" + i, root + "/bare/" + h);
  }
  const bare = (N / (performance.now() - s)) * 1000;
  add("bare put", bare);
  s = performance.now();
  for (let i = 0; i < N; i++) {
    const h = digests[i].slice(7);
    const fd = fs.openSync(root + "/bare/" + h, "r");
    const b = Buffer.allocUnsafe(4096);
    fs.readSync(fd, b, 0, 4096, 0);
    fs.closeSync(fd);
  }
  const bareGet = (N / (performance.now() - s)) * 1000;
  add("bare get", bareGet);
  const cache = new FileCache(root + "/mote", { durability: "visible" });
  await cache.initialize();
  s = performance.now();
  await conc(N, 16, async (i) => {
    await cache.createMote(digests[i], "application/octet-stream", 4096);
    const w = await cache.moteWriter(digests[i]);
    await w.write(blobs[i]);
    await w.close();
  });
  const put = (N / (performance.now() - s)) * 1000;
  add("put", put);
  s = performance.now();
  await conc(N, 16, async (i) => {
    const r = await cache.moteReader(digests[i]);
    for await (const c of r);
  });
  const get = (N / (performance.now() - s)) * 1000;
  add("get", get);
  const unv = new FileCache(root + "/mote", { durability: "visible", verifyOnRead: false });
  await unv.initialize();
  s = performance.now();
  await conc(N, 16, async (i) => {
    const r = await unv.moteReader(digests[i]);
    for await (const c of r);
  });
  const getu = (N / (performance.now() - s)) * 1000;
  add("get unverified", getu);
  s = performance.now();
  for (let k = 0; k < 5; k++)
    await conc(N, 16, async (i) => {
      await cache.moteExists(digests[i]);
    });
  const ex = ((5 * N) / (performance.now() - s)) * 1000;
  add("exists", ex);
  s = performance.now();
  await cache.verify();
  const ver = (N / (performance.now() - s)) * 1000;
  add("verify", ver);
  add("put/bare", put / bare);
  add("getu/bare", getu / bareGet);
  if (!process.argv[4]) {
    const M = 1000;
    s = performance.now();
    await conc(M, 16, (i) => cacache.put(root + "/cc", "k" + i, blobs[i]));
    const cput = (M / (performance.now() - s)) * 1000;
    const ints = blobs.map((b) => "sha512-" + crypto.createHash("sha512").update(b).digest("base64"));
    s = performance.now();
    await conc(M, 16, (i) => cacache.get.byDigest(root + "/cc", ints[i], { memoize: false }));
    const cget = (M / (performance.now() - s)) * 1000;
    s = performance.now();
    await conc(M, 16, (i) => cacache.get.hasContent(root + "/cc", ints[i]));
    const cex = (M / (performance.now() - s)) * 1000;
    s = performance.now();
    await cacache.verify(root + "/cc");
    const cver = (M / (performance.now() - s)) * 1000;
    add("put/cacache", put / cput);
    add("get/cacache", get / cget);
    add("exists/cacache", ex / cex);
    add("verify/cacache", ver / cver);
  }
}
for (const [k, v] of Object.entries(res)) console.log(k.padEnd(20), med(v).toFixed(2));
fs.rmSync(root, { recursive: true, force: true });
