import { type Descriptor, digestBytes, mediaTypes, referrersTag } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { type Intercept, refuse } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { serveMemory } from "../../test/memory-registry.js";
import { codeOf } from "../../test/outcome.js";
import { RegistryClient } from "../client.js";
import { RegistryDestination } from "./destination.js";

const image = makeImage(1000);
const other = makeImage(1001);
const referrerBytes = new TextEncoder().encode(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: "test/signature",
    config: image.config,
    layers: [],
    subject: image.manifest,
  }),
);
const referrer: Descriptor = {
  mediaType: mediaTypes.ociManifest,
  digest: digestBytes(referrerBytes),
  size: referrerBytes.byteLength,
};
const tagFollows = { tagFollows: true };

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function open(intercept?: (manifests: ReadonlyMap<string, unknown>) => Intercept) {
  const registry = await serveMemory(intercept && (({ manifests }) => intercept(manifests)));
  const client = new RegistryClient({ retryDelayMs: 1, retries: 1 });
  opened.push(registry, client);
  const destination = new RegistryDestination(client, { registry: registry.host, repository: "a/b" });
  const puts = () => registry.requests().filter((request) => request.startsWith("PUT "));
  return { registry, destination, puts };
}

const put = (reference: string) => `PUT manifests/${reference}`;

describe("a manifest that is tagged afterwards", () => {
  it("is sent only with its tag", async () => {
    const { destination, puts } = await open();
    await destination.manifest(image.manifest, image.manifestBytes, tagFollows);
    await destination.tag("v1", image.manifest);
    expect(puts()).toEqual([put("v1")]);
    await destination.tag("v2", image.manifest);
    expect(puts()).toEqual([put("v2")]);
  });

  it("is sent with its digest if it has no tag", async () => {
    const { destination, puts } = await open();
    await destination.manifest(image.manifest, image.manifestBytes, tagFollows);
    await destination.tag(image.manifest.digest, image.manifest);
    expect(puts()).toEqual([put(image.manifest.digest)]);
  });

  it("with a subject is listed as its referrer", async () => {
    const { destination, puts } = await open();
    await destination.manifest(referrer, referrerBytes, tagFollows);
    await destination.tag("signature", referrer);
    expect(puts()).toEqual([put("signature"), put(referrersTag(image.manifest.digest))]);
  });

  // Nexus without redeployment: GoogleContainerTools/jib#2395.
  it("can be pushed to a registry that stores each manifest once", async () => {
    const { destination } = await open((manifests) => (request, response) => {
      const isStored = manifests.has(image.manifest.digest) && request.method === "PUT";
      if (isStored) refuse(response, 400, "BLOB_UPLOAD_INVALID");
      return isStored;
    });
    await destination.manifest(image.manifest, image.manifestBytes, tagFollows);
    await destination.tag("v1", image.manifest);
  });

  it("is rejected because of its tag if the registry accepts it without, and because of the login otherwise", async () => {
    for (const [takes, code] of [
      ["all but the tag", "MOTE_EXISTS"],
      ["nothing", "MOTE_FORBIDDEN"],
    ]) {
      const { registry, destination } = await open((manifests) => (request, response) => {
        const isTagged = manifests.has("v1");
        const isRefused = request.method === "PUT" && isTagged && (takes === "nothing" || request.url?.endsWith("/v1"));
        if (isRefused) refuse(response, 403, "DENIED");
        return isRefused ?? false;
      });
      await destination.manifest(other.manifest, other.manifestBytes, tagFollows);
      await destination.tag("v1", other.manifest);
      await destination.manifest(image.manifest, image.manifestBytes, tagFollows);
      expect([takes, await codeOf(destination.tag("v1", image.manifest))]).toEqual([takes, code]);
      registry.requests();
    }
  });
});

describe("a manifest that is rejected with its digest", () => {
  // Nexus: andrey-pohilko/registry-cli#43, GoogleContainerTools/jib#2395.
  it("exists if the registry returns it, and is rejected otherwise", async () => {
    for (const [isStored, code] of [
      [true, undefined],
      [false, "MOTE_REGISTRY"],
    ] as const) {
      const { registry, destination } = await open(() => (request, response) => {
        if (request.method === "PUT") refuse(response, 400, "BLOB_UPLOAD_INVALID");
        else if (request.method === "HEAD") refuse(response, 404, "MANIFEST_UNKNOWN");
        return request.method === "PUT" || request.method === "HEAD";
      });
      const { digest, mediaType } = image.manifest;
      if (isStored) registry.manifests.set(digest, { type: mediaType, bytes: image.manifestBytes });
      expect(await codeOf(destination.manifest(image.manifest, image.manifestBytes))).toBe(code);
    }
  });
});
