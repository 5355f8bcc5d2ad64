import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { childDescriptors, type Descriptor, digestBytes, mediaTypes, parseManifest } from "@mote/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LayoutDestination, LayoutSource } from "../src/index.js";

const run = promisify(execFile);
const hasSkopeo = (() => {
  try {
    execFileSync("skopeo", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-layout-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Writes an image with one layer, an empty tar. */
async function writeImage(layout: string, tag: string): Promise<Descriptor> {
  await using destination = new LayoutDestination(layout);
  const put = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const descriptor: Descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
    await destination.blob(descriptor, once(bytes));
    return descriptor;
  };
  const tar = new Uint8Array(1024);
  const layer = await put(new Uint8Array(gzipSync(tar)), mediaTypes.ociLayerGzip);
  const config = await put(
    encode({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestBytes(tar)] } }),
    mediaTypes.ociConfig,
  );
  const bytes = encode({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] });
  const manifest: Descriptor = {
    mediaType: mediaTypes.ociManifest,
    digest: digestBytes(bytes),
    size: bytes.byteLength,
  };
  await destination.manifest(manifest, bytes);
  await destination.tag(tag, manifest);
  return manifest;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function encode(body: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(body));
}

it.skipIf(!hasSkopeo)("skopeo and mote read each other's layouts and archives (needs Debian's skopeo)", async () => {
  const ours = join(dir, "ours");
  const manifest = await writeImage(ours, "v1");
  const policy = join(dir, "policy.json");
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');

  const { stdout } = await run("skopeo", ["inspect", `oci:${ours}:v1`]);
  expect(JSON.parse(stdout).Digest).toBe(manifest.digest);

  const theirs = join(dir, "theirs");
  mkdirSync(theirs);
  await run("skopeo", [
    "--policy",
    policy,
    "copy",
    "--quiet",
    "--preserve-digests",
    `oci:${ours}:v1`,
    `oci:${theirs}:copied`,
  ]);
  const source = new LayoutSource(theirs);
  const copied = await source.resolve("copied");
  expect(copied.digest).toBe(manifest.digest);
  const parsed = parseManifest(await source.manifest(copied), copied.mediaType);
  for (const child of childDescriptors(parsed)) {
    let bytes = 0;
    for await (const chunk of await source.blob(child)) bytes += chunk.byteLength;
    expect(bytes).toBe(child.size);
  }

  // Each adds to a layout of the other.
  await writeImage(theirs, "v2");
  await run("skopeo", [
    "--policy",
    policy,
    "copy",
    "--quiet",
    "--preserve-digests",
    `oci:${theirs}:v2`,
    `oci:${ours}:v3`,
  ]);
  for (const [layout, tags] of [
    [theirs, ["copied", "v2"]],
    [ours, ["v1", "v3"]],
  ] as const) {
    for (const tag of tags) expect((await new LayoutSource(layout).resolve(tag)).digest).toBe(manifest.digest);
    expect(JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).schemaVersion).toBe(2);
  }
});
