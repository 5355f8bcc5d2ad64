import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, mediaTypes, referrersTag } from "@mote/core";
import { type DockerRegistry, freePort, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OpenMote, openMote } from "../src/index.js";
import { put, putIndex } from "./images.js";

const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));
const settings = {
  User: "1000",
  Entrypoint: ["/app"],
  Cmd: ["-v", 7],
  Env: ["A=\u001b[31m"],
  Labels: { a: "b", c: 1 },
  ExposedPorts: { "80/tcp": {} },
};

let dir: string;
let origin: OpenMote;
let images: readonly Descriptor[];
let index: Descriptor;
let sbom: Descriptor;

async function putImage(architecture: string): Promise<Descriptor> {
  const layers = [
    {
      ...(await put(origin.cache, mediaTypes.ociLayerGzip, json(`gzip ${architecture}`))),
      annotations: { "io.containers.estargz.uncompressed-size": "5000" },
    },
    await put(origin.cache, mediaTypes.ociLayer, json(`tar ${architecture}`)),
  ];
  const history = [
    { created_by: "ADD base" },
    { created_by: "ENV A", empty_layer: true },
    { created_by: "COPY app" },
    7,
  ];
  const config = await put(
    origin.cache,
    mediaTypes.ociConfig,
    json({ os: "linux", architecture, config: settings, history }),
  );
  const annotations = { "org.opencontainers.image.base.name": "docker.io/library/alpine:3" };
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers, annotations };
  return put(origin.cache, mediaTypes.ociManifest, json(body));
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-inspection-"));
  origin = await openMote({ dir: join(dir, "origin") });
  images = [await putImage("amd64"), await putImage("arm64")];
  const platforms = images.map((image, at) => ({
    ...image,
    platform: { os: "linux", architecture: at === 0 ? "amd64" : "arm64" },
  }));
  const attestation = { ...(await putImage("unknown")), platform: { os: "unknown", architecture: "unknown" } };
  index = await putIndex(origin.cache, ["app:1"], [...platforms, attestation]);
  await origin.tags.tag("single:1", images[0] ?? index);
  const empty = await put(origin.cache, mediaTypes.ociEmpty, json({}));
  const referring = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: empty,
    layers: [empty],
    subject: index,
  };
  sbom = await put(origin.cache, mediaTypes.ociManifest, json({ ...referring, artifactType: "application/spdx+json" }));
  await origin.tags.tag("sbom:1", sbom);
});

afterAll(async () => {
  await origin.close();
  await rm(dir, { recursive: true, force: true });
});

/** What is the same wherever the image is. */
const wholeImage = (platform: string) => ({
  platform,
  base: { name: "docker.io/library/alpine:3" },
  uncompressedBytes: 5000 + `"tar ${platform.slice(6)}"`.length,
  layers: [{ createdBy: "ADD base", uncompressedBytes: 5000 }, { createdBy: "COPY app" }],
  config: {
    user: "1000",
    entrypoint: ["/app"],
    cmd: ["-v"],
    env: ["A=\u001b[31m"],
    labels: { a: "b" },
    exposedPorts: ["80/tcp"],
    history: [
      { createdBy: "ADD base", isEmpty: false },
      { createdBy: "ENV A", isEmpty: true },
      { createdBy: "COPY app", isEmpty: false },
    ],
  },
});

describe("inspect", () => {
  it("describes an index of a layout, an archive and the cache with all of its images and referrers", async () => {
    await using mote = await openMote({ dir: join(dir, "local") });
    const layout = `oci:${dir}/origin:app:1`;
    await mote.copy(layout, `oci-archive:${dir}/app.tar:app:1`, { referrers: true });
    await mote.pull(layout, undefined, { referrers: true });
    await using offline = await openMote({ dir: join(dir, "local"), offline: true, readOnly: true });
    for (const found of [
      await mote.inspect(layout),
      await mote.inspect(`oci-archive:${dir}/app.tar:app:1`),
      await offline.inspect(index.digest),
    ]) {
      expect(found).toMatchObject({
        digest: index.digest,
        kind: "index",
        images: [wholeImage("linux/amd64"), wholeImage("linux/arm64")],
        others: [{ mediaType: mediaTypes.ociManifest }],
        referrers: [{ digest: sbom.digest, artifactType: "application/spdx+json" }],
        signatures: [],
        warnings: [],
      });
    }
    const single = await mote.inspect(`oci:${dir}/origin:single:1`);
    expect(single).toMatchObject({ kind: "image", images: [wholeImage("linux/amd64")], others: [] });
    const config = await mote.readDocument(`oci:${dir}/origin:single:1`, "config");
    expect(JSON.parse(new TextDecoder().decode(config.bytes)).config).toEqual(settings);
  });

  it("picks one platform, and fails for one that the index lacks and for a config that is not clear", async () => {
    const layout = `oci:${dir}/origin:app:1`;
    const found = await origin.inspect(layout, { platform: "linux/aarch64" });
    expect(found.images).toMatchObject([{ digest: images[1]?.digest }]);
    const absent = origin.inspect(layout, { platform: "linux/s390x" });
    await expect(absent).rejects.toMatchObject({
      code: "MOTE_NO_PLATFORM",
      details: { platforms: ["linux/amd64", "linux/arm64"] },
    });
    await expect(origin.readDocument(layout, "config")).rejects.toMatchObject({ code: "MOTE_NO_PLATFORM" });
    const [one] = found.images;
    const single = origin.inspect(one?.digest ?? "", { platform: "linux/s390x" });
    await expect(single).rejects.toMatchObject({ code: "MOTE_NO_PLATFORM", details: { platforms: ["linux/arm64"] } });
    const picked = await origin.readDocument(layout, "manifest", { platform: "linux/amd64" });
    expect(picked.descriptor.digest).toBe(images[0]?.digest);
  });

  it("compares two images by their layers and configs", async () => {
    const config = await put(
      origin.cache,
      mediaTypes.ociConfig,
      json({ os: "linux", architecture: "amd64", config: { ...settings, Env: ["A=2", "B=1"], User: undefined } }),
    );
    const shared = await put(origin.cache, mediaTypes.ociLayer, json("tar amd64"));
    const own = await put(origin.cache, mediaTypes.ociLayer, json("another layer"));
    const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [shared, own, own] };
    const other = await put(origin.cache, mediaTypes.ociManifest, json(body));
    const found = await origin.diff(`oci:${dir}/origin:app:1`, other.digest, { platform: "linux/amd64" });
    expect(found.layers.map(({ in: where }) => where)).toEqual(["first", "both", "second"]);
    expect(found).toMatchObject({
      sharedBytes: shared.size,
      images: [{ digest: images[0]?.digest }, { unsharedBytes: own.size }],
    });
    expect(found.config).toEqual([
      { field: "user", first: "1000" },
      { field: "env A", first: "\u001b[31m", second: "2" },
      { field: "env B", second: "1" },
    ]);
    expect((await origin.diff(other.digest, other.digest)).config).toEqual([]);
  });

  it("rejects a blob, and a digest that is known nowhere", async () => {
    const blob = await put(origin.cache, mediaTypes.octetStream, json("a blob"));
    await expect(origin.inspect(blob.digest)).rejects.toMatchObject({ code: "MOTE_INVALID_MANIFEST" });
    const unknown = `sha256:${"0".repeat(64)}`;
    await expect(origin.inspect(unknown)).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
  });

  it("reads what the cache has of an index without a request, and uses the cache if the registry fails", async () => {
    const server = await origin.serve({ port: await freePort() });
    await using mote = await openMote({ dir: join(dir, "half"), registries: { retries: 0 } });
    const reference = `${server.host}:${server.port}/app:1`;
    await mote.pull(reference, undefined, { platform: "linux/arm64" });
    const [amd, arm] = (await mote.inspect(reference)).images;
    expect(amd).not.toHaveProperty("layers");
    expect(arm).toMatchObject(wholeImage("linux/arm64"));
    await server.close();
    const stored = await mote.inspect(reference);
    expect(stored).toMatchObject({ digest: index.digest, warnings: [expect.stringContaining("as it is stored")] });
    expect(stored.images).toMatchObject([{ digest: amd?.digest }, wholeImage("linux/arm64")]);
  });
});

const noRegistry = needs("docker-registry");
describe.skipIf(noRegistry !== "")(`inspect of a docker-registry${noRegistry}`, () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await startDockerRegistry();
  });
  afterAll(() => registry.stop());

  async function requestsOf<T>(
    work: (mote: OpenMote) => Promise<T>,
  ): Promise<{ result: T; requests: readonly string[] }> {
    await using mote = await openMote({ dir: join(dir, "absent"), readOnly: true });
    const before = (await registry.requests()).length;
    const result = await work(mote);
    return { result, requests: (await registry.requests()).slice(before) };
  }

  it("takes three requests for an index without referrers, and finds cosign's signature by its tag", async () => {
    await origin.copy(`oci:${dir}/origin:app:1`, `docker://${registry.host}/plain:1`);
    const tag = `${referrersTag(index.digest)}.sig`;
    await origin.copy(`oci:${dir}/origin:single:1`, `docker://${registry.host}/plain:${tag}`);
    const { result, requests } = await requestsOf((mote) => mote.inspect(`${registry.host}/plain:1`));
    expect(requests).toHaveLength(3);
    expect(result).toMatchObject({ digest: index.digest, signatures: [{ tag }] });
    expect(result.images).toMatchObject([{ platform: "linux/amd64" }, { platform: "linux/arm64" }]);
  });

  it("takes two more requests for the config of a platform, and one for a digest", async () => {
    const reference = `${registry.host}/plain:1`;
    const one = await requestsOf((mote) => mote.inspect(reference, { platform: "linux/arm64" }));
    expect(one.requests).toHaveLength(5);
    expect(one.result.images).toMatchObject([wholeImage("linux/arm64")]);
    const digest = await requestsOf((mote) => mote.readDocument(reference, "manifest"));
    expect([digest.result.descriptor.digest, digest.requests.length]).toEqual([index.digest, 1]);
    const all = await requestsOf((mote) => mote.inspect(reference, { allPlatforms: true }));
    expect(all.result.images).toMatchObject([wholeImage("linux/amd64"), wholeImage("linux/arm64")]);
  });

  it("lists the referrers of the referrers tag", async () => {
    await origin.copy(`oci:${dir}/origin:app:1`, `docker://${registry.host}/described:1`, { referrers: true });
    const { result, requests } = await requestsOf((mote) => mote.inspect(`${registry.host}/described:1`));
    expect(requests).toHaveLength(4);
    expect(result.referrers).toMatchObject([{ digest: sbom.digest, artifactType: "application/spdx+json" }]);
  });
});
