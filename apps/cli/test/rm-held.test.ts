import { randomBytes } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, type Lease, type MoteCache, mediaTypes, writeMote } from "@mote/core";
import { type OpenMote, openMote } from "@mote/preset";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";

let dir: string;
let cache: string;
let open: OpenMote;
let manifest: Descriptor;
let layer: Descriptor;
let lease: Lease | undefined;

async function put(into: MoteCache, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestBytes(bytes);
  await writeMote(into, { digest, mediaType, size: bytes.byteLength }, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-rm-"));
  cache = join(dir, "cache");
  open = await openMote({ dir: cache });
  layer = await put(open.cache, mediaTypes.ociLayer, randomBytes(5000));
  const config = await put(open.cache, mediaTypes.ociConfig, Buffer.from("{}"));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
  manifest = await put(open.cache, mediaTypes.ociManifest, Buffer.from(JSON.stringify(body)));
  await open.tags.tag("registry.example/a/b:1", manifest);
});
afterEach(async () => {
  await lease?.release();
  lease = undefined;
  await open.close();
  await rm(dir, { recursive: true, force: true });
});

const remove = (...args: string[]) => runMote(["rm", ...args, "--cache", cache]);
const exists = ({ digest }: Descriptor) =>
  stat(join(cache, "blobs", digest.replace(":", "/"))).then(
    () => true,
    () => false,
  );

// Leases the image, as `mote serve` and transfers do.
describe("of an image that a running process uses, rm", () => {
  beforeEach(async () => {
    lease = await open.cache.lease?.([manifest.digest, layer.digest]);
  });

  it("removes the name, and says which process needs the content", async () => {
    const ended = await remove("registry.example/a/b:1");
    expect(ended.status).toBe(0);
    expect(ended.stdout).toContain("untagged registry.example/a/b:1");
    expect(ended.stdout).toContain(`in use by process ${process.pid}`);
    expect(await open.tags.resolve("registry.example/a/b:1")).toBe(undefined);
    expect([await exists(manifest), await exists(layer)]).toEqual([true, true]);
    await lease?.release();
    expect((await open.cache.prune(0)).reached).toBe(true);
  });

  it("removes no layer of it by its digest", async () => {
    const ended = await remove(layer.digest);
    expect(ended.status).toBe(1);
    expect(ended.stdout).toContain(`in use by process ${process.pid}`);
    expect(ended.stderr).toBe("");
    expect(await exists(layer)).toBe(true);
    await lease?.release();
    expect((await remove(layer.digest)).status).toBe(0);
    expect(await exists(layer)).toBe(false);
  });

  it("removes no manifest of it by its digest, once it has no name", async () => {
    await open.tags.untag("registry.example/a/b:1");
    const ended = await remove(manifest.digest, "--json");
    expect(ended.status).toBe(1);
    expect(JSON.parse(ended.stdout).skipped).toMatchObject([{ reason: "leased", holder: `process ${process.pid}` }]);
    expect(await exists(manifest)).toBe(true);
  });
});

it("rm of a pinned image keeps the name and fails", async () => {
  await open.cache.pinned?.pin(manifest.digest);
  expect((await remove("registry.example/a/b:1")).status).toBe(1);
  expect((await open.tags.resolve("registry.example/a/b:1"))?.digest).toBe(manifest.digest);
});
