import { hkdfSync } from "node:crypto";
import { digestBytes, mediaTypes } from "../../packages/core/dist/index.js";
import { openMote } from "../../packages/preset/dist/index.js";

/** A cache to be served as a registry: two versions of an image that share their base, and an artifact. The same each time. */
export async function seedCache(dir) {
  const mote = await openMote({ dir });
  const base = await put(mote, bytes("base", 30_000), 100, mediaTypes.ociLayer);
  const runtime = await put(mote, bytes("runtime", 12_000), 100, mediaTypes.ociLayer);
  for (const version of ["1.0", "1.1"]) {
    const app = await put(mote, bytes(`app ${version}`, 9_000), 100, mediaTypes.ociLayer);
    const config = { architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [] } };
    await name(mote, `team/app:${version}`, await put(mote, json(config), 1, mediaTypes.ociConfig), [
      base,
      runtime,
      app,
    ]);
  }
  const weights = await put(mote, bytes("weights", 60_000), 400, "application/octet-stream");
  await name(mote, "team/model:7b", await put(mote, json({}), 1, mediaTypes.ociEmpty), [weights]);
  await mote.close();
}

async function name(mote, tag, config, layers) {
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  await mote.tags.tag(tag, await put(mote, json(manifest), 1, mediaTypes.ociManifest));
}

/** `piece`, so many times over. */
async function put({ cache }, piece, times, mediaType) {
  const whole = new Uint8Array(piece.byteLength * times);
  for (let at = 0; at < whole.byteLength; at += piece.byteLength) whole.set(piece, at);
  const descriptor = { mediaType, digest: digestBytes(whole), size: whole.byteLength };
  await cache.createMote(descriptor.digest, mediaType, descriptor.size);
  const writer = await cache.moteWriter(descriptor.digest);
  await writer.write(whole);
  await writer.close();
  return descriptor;
}

function json(document) {
  return new TextEncoder().encode(JSON.stringify(document));
}

/** Different for each name, the same each time. */
function bytes(name, size) {
  const most = 8_000;
  const whole = new Uint8Array(size);
  for (let at = 0; at < size; at += most) {
    const some = hkdfSync("sha256", name, "captures", String(at), Math.min(most, size - at));
    whole.set(new Uint8Array(some), at);
  }
  return whole;
}
