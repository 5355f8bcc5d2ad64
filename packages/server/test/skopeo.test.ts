import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { type Descriptor, digestBytes, MemoryTagStore, mediaTypes } from "@mote/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RegistryServer, type ServedRequest, serve } from "../src/index.js";
import { MemorySource } from "./memory-source.js";

const run = promisify(execFile);
const hasSkopeo = spawnSync("skopeo", ["--version"]).status === 0;

describe.skipIf(!hasSkopeo)(`skopeo${hasSkopeo ? "" : " (not run: install skopeo, as Debian has it)"}`, () => {
  const source = new MemorySource();
  const served: ServedRequest[] = [];
  let server: RegistryServer;
  let folder: string;
  let manifest: Descriptor;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mote-server-"));
    const tags = new MemoryTagStore();
    source.chunkBytes = 64 * 1024;
    manifest = putImage(source);
    await tags.tag("docker.io/library/app:1", manifest);
    await tags.tag("docker.io/library/app:stable", manifest);
    server = await serve({ source, tags, onRequest: (request) => served.push(request) });
  });

  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  const image = () => `docker://${server.host}:${server.port}/library/app`;

  it("inspects an image by its tag and lists the tags of its repository", async () => {
    const { stdout } = await run("skopeo", ["inspect", "--tls-verify=false", `${image()}:1`]);
    expect(JSON.parse(stdout)).toMatchObject({ Digest: manifest.digest, RepoTags: ["1", "stable"], Os: "linux" });
  });

  it("copies an image by its digest with unchanged blobs", async () => {
    served.length = 0;
    const layout = join(folder, "layout");
    const from = `${image()}@${manifest.digest}`;
    await run("skopeo", ["--insecure-policy", "copy", "--src-tls-verify=false", from, `oci:${layout}:1`]);
    const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
    expect(index.manifests[0].digest).toBe(manifest.digest);
    for (const digest of source.digests) {
      const bytes = source.bytesOf(digest);
      const copied = await readFile(join(layout, "blobs", digest.replace(":", "/")));
      expect(digestBytes(copied)).toBe(digest);
      expect(copied.byteLength).toBe(bytes?.byteLength);
    }
    expect(served.filter(({ complete }) => !complete)).toEqual([]);
  });

  it("reports a missing tag as unknown", async () => {
    await expect(run("skopeo", ["inspect", "--tls-verify=false", `${image()}:2`])).rejects.toHaveProperty(
      "stderr",
      expect.stringContaining("manifest unknown"),
    );
  });
});

/** A config and two layers of several hundred kilobytes. */
function putImage(source: MemorySource): Descriptor {
  const plain = [1, 2].map((seed) => new Uint8Array(600_000).map((_, at) => (at * at * seed) % 256));
  const layers = plain.map((bytes) => {
    const zipped = new Uint8Array(gzipSync(bytes, { level: 1 }));
    return { mediaType: mediaTypes.ociLayerGzip, digest: source.put(zipped), size: zipped.byteLength };
  });
  const configBytes = new TextEncoder().encode(
    JSON.stringify({
      os: "linux",
      architecture: "amd64",
      config: {},
      rootfs: { type: "layers", diff_ids: plain.map((bytes) => digestBytes(bytes)) },
    }),
  );
  const config = { mediaType: mediaTypes.ociConfig, digest: source.put(configBytes), size: configBytes.byteLength };
  return source.putManifest({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers });
}
