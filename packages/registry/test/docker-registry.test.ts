import { collectChunks } from "@mote/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dockerCredentials, RegistryCache, RegistryClient, RegistryRepository } from "../src/index.js";
import { type DockerRegistry, missingPrograms, needs, startDockerRegistry } from "./docker-registry.js";
import { makeImage, pushWithSkopeo } from "./image.js";

const image = makeImage(3_000_000, 17, 200_000);
const skip = missingPrograms.length > 0;

describe(`Debian's docker-registry${needs}`, () => {
  let registry: DockerRegistry;
  const client = new RegistryClient();

  beforeAll(async () => {
    if (skip) return;
    registry = await startDockerRegistry();
    await pushWithSkopeo(image, `${registry.host}/team/app:v1`, registry.folder);
  });
  afterAll(async () => {
    await client.close();
    await registry?.[Symbol.asyncDispose]();
  });

  it.skipIf(skip)("gives a tag's manifest and every blob as skopeo pushed them", async () => {
    const repository = new RegistryRepository(client, { registry: registry.host, repository: "team/app" });
    const descriptor = await repository.resolve("v1");
    expect(descriptor).toEqual(image.manifest);
    expect(await repository.resolve(descriptor.digest)).toEqual(image.manifest);
    expect(await repository.manifest(descriptor)).toEqual(image.manifestBytes);
    for (const layer of [image.config, ...image.layers]) {
      const bytes = await collectChunks(await repository.blob(layer), { maxBytes: layer.size, what: layer.digest });
      expect(Buffer.compare(bytes, image.blobs.get(layer.digest) ?? new Uint8Array())).toBe(0);
    }
  });
});
