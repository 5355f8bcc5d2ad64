import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RegistryClient } from "../src/client.js";
import { RegistryRepository } from "../src/pull/repository.js";
import { RegistryDestination } from "../src/push/destination.js";
import { makeImage, type TestImage } from "./image.js";
import { codeOf, read, sameBytes } from "./outcome.js";

const image = makeImage(3_000_000, 17, 200_000);
const wanted = needs("docker-registry", "skopeo", "htpasswd");
const skip = wanted !== "";

async function* chunks(bytes: Uint8Array) {
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

function describeBlob(bytes: Uint8Array): Descriptor {
  return { mediaType: mediaTypes.octetStream, digest: digestBytes(bytes), size: bytes.byteLength };
}

describe.skipIf(skip)(`pushing to Debian's docker-registry${wanted}`, () => {
  let registry: DockerRegistry;
  const client = new RegistryClient();
  const destination = (repository: string, chunkBytes?: number) =>
    new RegistryDestination(client, { registry: registry.host, repository }, { chunkBytes });
  const source = (repository: string) => new RegistryRepository(client, { registry: registry.host, repository });
  const bytesOf = (descriptor: Descriptor) => image.blobs.get(descriptor.digest) ?? new Uint8Array();

  async function push(to: RegistryDestination, pushed: TestImage, tag: string) {
    for (const blob of [...pushed.layers, pushed.config]) {
      await to.blob(blob, chunks(pushed.blobs.get(blob.digest) ?? new Uint8Array()));
    }
    await to.manifest(pushed.manifest, pushed.manifestBytes);
    await to.tag(tag, pushed.manifest);
  }

  beforeAll(async () => {
    if (!skip) registry = await startDockerRegistry();
  });
  afterAll(async () => {
    await client.close();
    await registry?.[Symbol.asyncDispose]();
  });

  it("stores an image by sha512, which is pulled by its tag with all its blobs", async () => {
    const digest512 = (descriptor: Descriptor) => ({
      ...descriptor,
      digest: digestBytes(bytesOf(descriptor), "sha512"),
    });
    const [config, ...layers] = [image.config, ...image.layers].map(digest512);
    const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    const manifest = {
      mediaType: mediaTypes.ociManifest,
      digest: digestBytes(bytes, "sha512"),
      size: bytes.byteLength,
    };
    const to = destination("sha512/app", 100_000);
    const blobs = [image.config, ...image.layers];
    for (const blob of blobs) await to.blob(digest512(blob), chunks(bytesOf(blob)));
    await to.manifest(manifest, bytes);
    await to.tag("v1", manifest);
    const from = source("sha512/app");
    expect(sameBytes(bytes, await from.manifest(await from.resolve("v1")))).toBe(true);
    for (const blob of blobs) {
      expect(await to.has(digest512(blob))).toBe(true);
      expect(sameBytes(bytesOf(blob), await read(await from.blob(digest512(blob))))).toBe(true);
    }
  });

  it("stores an image that skopeo pulls, monolithic or in chunks", async () => {
    for (const [repository, chunkBytes] of [
      ["whole/app", undefined],
      ["pieces/app", 100_000],
    ] as const) {
      await push(destination(repository, chunkBytes), image, "v1");
      const target = `dir:${registry.folder}/${repository.replace("/", "-")}`;
      const from = `docker://${registry.host}/${repository}:v1`;
      execFileSync("skopeo", ["--insecure-policy", "copy", "-q", "--src-tls-verify=false", from, target]);
      expect(await source(repository).resolve("v1")).toEqual(image.manifest);
    }
    expect(registry.log()).toContain('"PATCH /v2/pieces/app/blobs/uploads/');
    expect(registry.log()).not.toContain('"PATCH /v2/whole/app/blobs/uploads/');
  });

  it("has exactly what was sent", async () => {
    const to = destination("has/app");
    expect(await to.has(image.config)).toBe(false);
    expect(await to.has(image.manifest)).toBe(false);
    await push(to, image, "v1");
    for (const one of [image.manifest, image.config, ...image.layers]) expect(await to.has(one)).toBe(true);
    expect(await to.has({ ...image.config, size: image.config.size + 1 })).toBe(false);
  });

  it("mounts a blob from the first candidate that has it", async () => {
    const [layer = image.config] = image.layers;
    await destination("mount/from").blob(layer, chunks(bytesOf(layer)));
    const to = destination("mount/to");
    const candidate = (repository: string, host = registry.host) =>
      ({ transport: "docker", registry: host, repository }) as const;
    const before = registry.log().length;
    expect(await to.mount(layer, [candidate("mount/from", "elsewhere.example"), candidate("mount/to")])).toBe(false);
    expect(registry.log()).toHaveLength(before);
    expect(await to.mount(layer, [candidate("no/such")])).toBe(false);
    expect(await to.has(layer)).toBe(false);
    expect(await to.mount(layer, [candidate("no/such"), candidate("mount/from")])).toBe(true);
    expect(sameBytes(await read(await source("mount/to").blob(layer)), bytesOf(layer))).toBe(true);
  });

  it("rejects bytes with another digest, and stores nothing", async () => {
    const wrong = describeBlob(new Uint8Array(randomBytes(50_000)));
    for (const chunkBytes of [undefined, 20_000]) {
      const to = destination("wrong/app", chunkBytes);
      expect(await codeOf(to.blob(wrong, chunks(new Uint8Array(50_000))))).toBe("MOTE_DIGEST_MISMATCH");
      expect(await to.has(wrong)).toBe(false);
    }
    const to = destination("wrong/app");
    expect(await codeOf(to.manifest(image.manifest, new Uint8Array(3)))).toBe("MOTE_DIGEST_MISMATCH");
  });

  it("rejects a manifest with missing blobs", async () => {
    const to = destination("hollow/app");
    expect(await codeOf(to.manifest(image.manifest, image.manifestBytes))).toBe("MOTE_REGISTRY");
    expect(await to.has(image.manifest)).toBe(false);
  });

  it("moves a tag to an existing manifest, and rejects an invalid tag", async () => {
    await push(destination("tag/app"), image, "v1");
    const fresh = destination("tag/app");
    await fresh.tag("v2", image.manifest);
    expect(await source("tag/app").resolve("v2")).toEqual(image.manifest);
    expect(await codeOf(fresh.tag("no/tag", image.manifest))).toBe("MOTE_INVALID_NAME");
    const absent = { ...image.manifest, digest: digestBytes(new Uint8Array(9)) };
    expect(await codeOf(fresh.tag("v3", absent))).toBe("MOTE_NOT_FOUND");
  });

  it("lists referrers that were pushed concurrently, by the referrers tag", async () => {
    const to = destination("refer/app");
    await push(to, image, "v1");
    const referrers = await Promise.all(
      ["one", "two", "three"].map(async (name) => {
        const body = {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          artifactType: `test/${name}`,
          config: image.config,
          layers: [],
          subject: image.manifest,
          annotations: { name },
        };
        const bytes = new TextEncoder().encode(JSON.stringify(body));
        const descriptor = { ...describeBlob(bytes), mediaType: mediaTypes.ociManifest };
        await to.manifest(descriptor, bytes);
        return { ...descriptor, artifactType: `test/${name}`, annotations: { name } };
      }),
    );
    const found: Descriptor[] = [];
    for await (const one of source("refer/app").referrers(image.manifest)) found.push(one);
    const byDigest = (one: Descriptor, other: Descriptor) => one.digest.localeCompare(other.digest);
    expect(found.sort(byDigest)).toEqual(referrers.sort(byDigest));
  });

  it("accepts an image with a password if it requires one", async () => {
    const login = { username: "ann", password: "s3:cret" };
    await using closed = await startDockerRegistry({ login });
    const place = { registry: closed.host, repository: "team/app" };
    await using stranger = new RegistryClient();
    const refused = new RegistryDestination(stranger, place).blob(image.config, chunks(bytesOf(image.config)));
    expect(await codeOf(refused)).toBe("MOTE_UNAUTHORIZED");
    await using known = new RegistryClient({ credentials: { get: async () => ({ kind: "password", ...login }) } });
    await push(new RegistryDestination(known, place), image, "v1");
    expect(await new RegistryRepository(known, place).resolve("v1")).toEqual(image.manifest);
  });
});
