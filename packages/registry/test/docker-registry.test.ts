import { digestBytes } from "@mote/core";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RegistryClient } from "../src/client.js";
import { RegistryCache } from "../src/pull/registry-cache.js";
import { RegistryRepository } from "../src/pull/repository.js";
import { makeImage, pushWithSkopeo } from "./image.js";
import { codeOf, read, sameBytes } from "./outcome.js";

const image = makeImage(3_000_000, 17, 200_000);
const wanted = needs("docker-registry", "skopeo", "htpasswd");
const skip = wanted !== "";

describe(`Debian's docker-registry${wanted}`, () => {
  let registry: DockerRegistry;
  const client = new RegistryClient();
  const place = (repository = "team/app") => ({ registry: registry.host, repository });

  beforeAll(async () => {
    if (skip) return;
    registry = await startDockerRegistry();
    await pushWithSkopeo(image, `${registry.host}/team/app:v1`, registry.folder);
  });
  afterAll(async () => {
    await client.close();
    await registry?.[Symbol.asyncDispose]();
  });

  it.skipIf(skip)("serves the manifest and blobs that skopeo pushed", async () => {
    const repository = new RegistryRepository(client, place());
    const descriptor = await repository.resolve("v1");
    expect(descriptor).toEqual(image.manifest);
    expect(await repository.resolve(descriptor.digest)).toEqual(image.manifest);
    expect(await repository.manifest(descriptor)).toEqual(image.manifestBytes);
    for (const layer of [image.config, ...image.layers]) {
      const bytes = image.blobs.get(layer.digest);
      expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
      const part = await read(await repository.blob(layer, { start: 5 }));
      expect(sameBytes(part, bytes?.subarray(5))).toBe(true);
    }
  });

  it.skipIf(skip)("reports absent tags, repositories, blobs and manifests as not found", async () => {
    const repository = new RegistryRepository(client, place());
    const absent = { ...image.config, digest: digestBytes(new Uint8Array(3)) };
    expect(await codeOf(repository.resolve("v2"))).toBe("MOTE_NOT_FOUND");
    expect(await codeOf(repository.blob(absent))).toBe("MOTE_NOT_FOUND");
    expect(await codeOf(repository.manifest(absent))).toBe("MOTE_NOT_FOUND");
    expect(await codeOf(new RegistryRepository(client, place("no/such")).resolve("v1"))).toBe("MOTE_NOT_FOUND");
  });

  it.skipIf(skip)("has no referrers API, and therefore no referrers", async () => {
    const repository = new RegistryRepository(client, place());
    for await (const found of repository.referrers(image.manifest)) expect(found).toBeUndefined();
  });

  it.skipIf(skip)("is the tier behind a cache, for blobs and manifests", async () => {
    const cache = new RegistryCache(client, place());
    for (const [digest, bytes] of image.blobs) {
      const { digest: known } =
        [image.manifest, image.config, ...image.layers].find((one) => one.digest === digest) ?? image.config;
      expect(await cache.moteExists(known)).toBe(true);
      expect(await cache.find(known)).toMatchObject({ digest, size: bytes.byteLength });
      const reader = await cache.moteReader(known);
      expect(reader.info).toMatchObject({ digest, size: bytes.byteLength });
      expect(sameBytes(await read(reader), bytes)).toBe(true);
      await using readerAt = await cache.moteReaderAt(known);
      const into = new Uint8Array(10);
      const count = await readerAt.readAt(into, 4);
      expect(sameBytes(into.subarray(0, count), bytes.subarray(4, 14))).toBe(true);
    }
  });

  it.skipIf(skip)("requires a password if it is configured to", async () => {
    const login = { username: "ann", password: "s3:cret" };
    await using closed = await startDockerRegistry({ login });
    await pushWithSkopeo(image, `${closed.host}/team/app:v1`, closed.folder, "ann:s3:cret");
    const at = { registry: closed.host, repository: "team/app" };
    const resolveWith = async (password: string | undefined) => {
      const credentials =
        password === undefined ? undefined : ({ kind: "password", username: "ann", password } as const);
      await using one = new RegistryClient({ credentials: { get: async () => credentials } });
      return await new RegistryRepository(one, at).resolve("v1");
    };
    expect(await codeOf(resolveWith(undefined))).toBe("MOTE_UNAUTHORIZED");
    expect(await codeOf(resolveWith("wrong"))).toBe("MOTE_UNAUTHORIZED");
    expect(await resolveWith("s3:cret")).toEqual(image.manifest);
  });
});
