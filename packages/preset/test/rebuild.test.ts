import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Digest, digestBytes, mediaTypes } from "@mote/core";
import { builtInEncoders } from "@mote/delta";
import { registryKinds, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type DeltaMode, openMote } from "../src/index.js";

const root = mkdtempSync(join(tmpdir(), "mote-rebuild-"));
afterAll(() => rmSync(root, { recursive: true }));

/** About half of it can be compressed. */
const content = Buffer.concat(Array.from({ length: 300 }, () => Buffer.from(randomBytes(1000).toString("hex"))));

const encoders = builtInEncoders();
afterAll(() => encoders[Symbol.asyncDispose]());
let goGzip: Buffer;

beforeAll(async () => {
  const encoder = encoders.list.find(({ name }) => name === "gzip:go1.26-1");
  const chunks: Uint8Array[] = [];
  for await (const chunk of encoder?.encode(once(content)) ?? []) chunks.push(new Uint8Array(chunk));
  goGzip = Buffer.concat(chunks);
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

let registry: SimulatedRegistry;
beforeEach(async () => {
  const [kind] = registryKinds;
  if (kind === undefined) throw new Error("there are no registries");
  registry = await startSimulatedRegistry(kind);
  return () => registry[Symbol.asyncDispose]();
});

function addImage(repository: string, layer: Uint8Array, diffId: string = digestBytes(content)): Digest {
  const json = (body: object) => Buffer.from(JSON.stringify(body));
  const blob = (mediaType: string, bytes: Uint8Array) => {
    registry.repositories.addBlob(repository, bytes);
    return { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
  };
  const rootfs = { type: "layers", diff_ids: [diffId] };
  const config = blob(mediaTypes.ociConfig, json({ architecture: "amd64", os: "linux", rootfs }));
  const layers = [blob(mediaTypes.ociLayerGzip, layer)];
  const manifest = json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers });
  registry.repositories.addManifest(repository, manifest, mediaTypes.ociManifest, "1");
  return digestBytes(layer);
}

/** Returns the bytes of a layer that the registry was asked for. */
function bytesRequested(digest: Digest, size: number): number {
  const requests = registry.requests.filter(
    ({ method, url, status }) => method === "GET" && status < 300 && url.pathname.endsWith(digest),
  );
  return requests.reduce((sum, { headers }) => {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "bytes=0-") ?? [];
    return sum + (last ? Number(last) + 1 : size) - Number(first);
  }, 0);
}

// The configs are the same, so that only the layer has to be fetched.
const newFolder = () => mkdtempSync(join(root, "dir-"));
const pulling = (delta: DeltaMode) => ({ delta });

it("a layer whose content is stored with another compression is rebuilt under its own digest, and hardly fetched", async () => {
  addImage("team/node", gzipSync(content));
  const wanted = addImage("team/go", goGzip);
  await using mote = await openMote({ dir: newFolder() });
  await mote.pull(`${registry.host}/team/node:1`);
  const report = await mote.pull(`${registry.host}/team/go:1`, undefined, pulling("always"));
  expect(report).toMatchObject({ rebuilt: { count: 1, bytes: goGzip.byteLength }, warnings: [] });
  expect(report.fetched.bytes).toBeLessThan(1000);
  expect(bytesRequested(wanted, goGzip.byteLength)).toBeLessThanOrEqual(goGzip.byteLength / 100);
  expect(readFileSync(mote.cache.moteRef(wanted)).equals(goGzip)).toBe(true);
});

it("a layer whose encoder is known is rebuilt without any of it being fetched", async () => {
  addImage("team/node", gzipSync(content));
  const wanted = addImage("team/go", goGzip);
  const dir = newFolder();
  await using mote = await openMote({ dir });
  await mote.pull(`${registry.host}/team/node:1`);
  await mote.pull(`${registry.host}/team/go:1`, undefined, pulling("always"));
  await mote.cache.removeMote(wanted);
  registry.requests.length = 0;
  const target = join(newFolder(), "layout");
  const report = await mote.pull(`${registry.host}/team/go:1`, `oci:${target}:1`, pulling("always"));
  expect(report).toMatchObject({ rebuilt: { count: 1 }, linked: { count: 2 } });
  expect(bytesRequested(wanted, goGzip.byteLength)).toBe(0);
  expect(readFileSync(join(target, "blobs", "sha256", wanted.slice(7))).equals(goGzip)).toBe(true);
});

it("a layer is fetched if that is requested, and from loopback, which is fast", async () => {
  addImage("team/node", gzipSync(content));
  const wanted = addImage("team/go", goGzip);
  for (const delta of ["never", "auto"] as const) {
    await using mote = await openMote({ dir: newFolder() });
    await mote.pull(`${registry.host}/team/node:1`);
    registry.requests.length = 0;
    const report = await mote.pull(`${registry.host}/team/go:1`, undefined, pulling(delta));
    expect(report).toMatchObject({ rebuilt: { count: 0 }, fetched: { count: 1 } });
    expect(bytesRequested(wanted, goGzip.byteLength)).toBe(goGzip.byteLength);
  }
});

it("a layer is fetched if the other form of it may have to be fetched from a tier", async () => {
  addImage("team/node", gzipSync(content));
  addImage("team/go", goGzip);
  await using mote = await openMote({ dir: newFolder(), tier: newFolder() });
  await mote.pull(`${registry.host}/team/node:1`);
  const report = await mote.pull(`${registry.host}/team/go:1`, undefined, pulling("always"));
  expect(report).toMatchObject({ rebuilt: { count: 0 }, fetched: { count: 1 } });
});

it("a layer is fetched if no encoder reproduces it, if a config is wrong, or if the stored layer is damaged or missing", async () => {
  const other = Buffer.concat([content.subarray(0, 500_000), Buffer.from("changed")]);
  const cases: Readonly<Record<string, (dir: string, stored: Digest) => Uint8Array>> = {
    "no encoder makes it": () => gzipSync(content, { memLevel: 1 }),
    "its config lies": () => gzipSync(other),
    "the stored layer is damaged": (dir, stored) => {
      const path = join(dir, "blobs", "sha256", stored.slice(7));
      rmSync(path);
      writeFileSync(path, gzipSync(content).fill(0, 100_000, 100_100));
      return goGzip;
    },
    "the stored layer is missing": (dir, stored) => {
      rmSync(join(dir, "blobs", "sha256", stored.slice(7)));
      return goGzip;
    },
  };
  for (const [title, prepare] of Object.entries(cases)) {
    const dir = newFolder();
    await using mote = await openMote({ dir });
    const stored = addImage("team/node", gzipSync(content));
    await mote.pull(`${registry.host}/team/node:1`);
    const layer = prepare(dir, stored);
    const wanted = addImage("team/other", layer);
    const report = await mote.pull(`${registry.host}/team/other:1`, undefined, pulling("always"));
    expect(report, title).toMatchObject({ rebuilt: { count: 0 }, fetched: { count: 1 } });
    expect(readFileSync(mote.cache.moteRef(wanted)).equals(layer), title).toBe(true);
  }
});
