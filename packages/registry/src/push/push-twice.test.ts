import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { refuse } from "../../test/fake-registry.js";
import { makeImage } from "../../test/image.js";
import { serveMemory } from "../../test/memory-registry.js";
import type { Handler } from "../../test/server.js";
import { RegistryClient } from "../client.js";
import { RegistryDestination } from "./destination.js";

const image = makeImage(1000);
const other = makeImage(1001);
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const describeBytes = (mediaType: string, bytes: Uint8Array): Descriptor => ({
  mediaType,
  digest: digestBytes(bytes),
  size: bytes.byteLength,
});
const referrerBytes = json({
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  artifactType: "test/signature",
  config: image.config,
  layers: [],
  subject: image.manifest,
});
const referrer = describeBytes(mediaTypes.ociManifest, referrerBytes);
const indexBytes = json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [image.manifest] });
const index = describeBytes(mediaTypes.ociIndex, indexBytes);

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function open(intercept?: Parameters<typeof serveMemory>[0]) {
  const registry = await serveMemory(intercept);
  const client = new RegistryClient({ retryDelayMs: 1, retries: 1 });
  opened.push(registry, client);
  const place = { registry: registry.host, repository: "a/b" };
  return { registry, destination: () => new RegistryDestination(client, place) };
}

/** Pushes an index with a child, both tagged, and a tagged referrer of the child. */
async function push(to: RegistryDestination) {
  await to.manifest(image.manifest, image.manifestBytes);
  await to.manifest(referrer, referrerBytes);
  await to.manifest(index, indexBytes);
  await to.tag("signature", referrer);
  await to.tag("v1", index);
}

const writes = (requests: readonly string[]) => requests.filter((one) => !/^(?:HEAD|GET) /.test(one));

describe("a second push of the same content", () => {
  it("sends no manifest and no tag, for every way in which a registry reports what it has", async () => {
    const heads: [string, Handler | undefined][] = [
      ["HEAD has the digest", undefined],
      ["HEAD has none", (_, response) => response.writeHead(200).end()],
      [
        "HEAD has one of another algorithm",
        (_, response) => response.writeHead(200, { "docker-content-digest": `sha512:${"0".repeat(128)}` }).end(),
      ],
      ["there is no HEAD (405)", (_, response) => response.writeHead(405).end()],
      ["there is no HEAD (501)", (_, response) => response.writeHead(501).end()],
    ];
    for (const [name, answer] of heads) {
      let isSecond = false;
      const { registry, destination } = await open(() => (request, response) => {
        if (!isSecond || request.method !== "HEAD" || answer === undefined) return false;
        answer(request, response);
        return true;
      });
      await push(destination());
      isSecond = true;
      registry.requests();
      await push(destination());
      expect([name, writes(registry.requests())]).toEqual([name, []]);
    }
  });

  it("adds a missing referrer to the referrers tag, unless the registry has a referrers API", async () => {
    const { registry, destination } = await open();
    await push(destination());
    const tag = image.manifest.digest.replace(":", "-");
    registry.manifests.delete(tag);
    registry.requests();
    await push(destination());
    expect(writes(registry.requests())).toEqual([`PUT manifests/${tag}`]);

    const listing = await open(() => (request, response) => {
      if (!request.url?.includes("/referrers/")) return false;
      response.writeHead(200, { "content-type": mediaTypes.ociIndex });
      response.end(json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }));
      return true;
    });
    await push(listing.destination());
    listing.registry.manifests.delete(tag);
    listing.registry.requests();
    await push(listing.destination());
    expect(writes(listing.registry.requests())).toEqual([]);
  });

  it("with another tag sends only that tag", async () => {
    const { registry, destination } = await open();
    await push(destination());
    registry.requests();
    const again = destination();
    await again.manifest(index, indexBytes);
    await again.tag("v2", index);
    expect(writes(registry.requests())).toEqual(["PUT manifests/v2"]);
    expect(registry.manifests.get("v2")?.bytes).toEqual(registry.manifests.get("v1")?.bytes);
  });

  it("sends content that the registry does not report", async () => {
    for (const status of [403, 500, 503, 520]) {
      let isSecond = false;
      const { registry, destination } = await open(() => (request, response) => {
        if (!isSecond || request.method !== "HEAD") return false;
        response.writeHead(status).end();
        return true;
      });
      await destination().manifest(image.manifest, image.manifestBytes);
      isSecond = true;
      registry.requests();
      const again = destination();
      await again.manifest(image.manifest, image.manifestBytes);
      await again.tag("v1", image.manifest);
      expect(writes(registry.requests())).toEqual([`PUT manifests/${image.manifest.digest}`, "PUT manifests/v1"]);
    }
  });
});

/** Responses of registries for an immutable tag. */
const rejections: [string, number, string, string][] = [
  [
    "ECR",
    400,
    "TAG_INVALID",
    "The image tag 'v1' already exists in the 'a/b' repository and cannot be overwritten because the repository is immutable.",
  ],
  [
    "ECR, by exclusion filters",
    400,
    "TAG_INVALID",
    "The image tag 'v1' ... cannot be overwritten because the tag is immutable.",
  ],
  [
    "Google",
    400,
    "MANIFEST_INVALID",
    "manifest invalid: cannot update tag v1. The repository has enabled tag immutability",
  ],
  ["Harbor", 412, "PRECONDITION", "Failed to process request due to 'a/b:v1' configured as immutable."],
  ["Nexus", 400, "UNKNOWN", "Repository does not allow updating assets: docker-hosted"],
  ["Nexus since 3.96", 409, "UNKNOWN", "cannot be updated as asset already exists and redeploy is not allowed"],
  ["Mirantis", 400, "UNKNOWN", "tag=v1 cannot be overwritten because a/b is an immutable repository"],
  ["Azure", 405, "UNSUPPORTED", "The operation is unsupported."],
  ["Artifactory", 403, "DENIED", "The requested access to the resource is denied"],
  ["any", 409, "CONFLICT", ""],
];

describe("a registry with immutable tags", () => {
  const immutable = (status: number, code: string, message: string) =>
    open(({ manifests }) => (request, response) => {
      const tag = /\/manifests\/([^:]+)$/.exec(request.url ?? "")?.[1] ?? "";
      if (request.method !== "PUT" || !manifests.has(tag)) return false;
      request.resume();
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ errors: [{ code, message }] }));
      return true;
    });

  it("accepts the same image twice", async () => {
    for (const [, status, code, message] of rejections) {
      const { destination } = await immutable(status, code, message);
      await push(destination());
      await push(destination());
    }
  });

  it("is an error with the digest of the tag if that is another image", async () => {
    for (const [name, status, code, message] of rejections) {
      const { registry, destination } = await immutable(status, code, message);
      await push(destination());
      const again = destination();
      await again.manifest(other.manifest, other.manifestBytes);
      const error: unknown = await again.tag("v1", other.manifest).catch((thrown: unknown) => thrown);
      expect([name, error]).toMatchObject([
        name,
        {
          code: "MOTE_EXISTS",
          details: {
            status,
            reference: "v1",
            digest: other.manifest.digest,
            actual: index.digest,
            isReplaceable: false,
          },
        },
      ]);
      expect((error as Error).message).toContain(`${registry.host}/a/b:v1`);
      expect((error as Error).message).toContain(index.digest);
    }
  });

  it("is not an error if another client has set the tag to the same image, or a HEAD response was wrong", async () => {
    let isSecond = false;
    const { registry, destination } = await open(({ manifests }) => (request, response) => {
      if (!request.url?.endsWith("/v1")) return false;
      if (request.method === "HEAD") {
        if (isSecond) response.writeHead(200, { "docker-content-digest": other.manifest.digest }).end();
        return isSecond;
      }
      if (request.method !== "PUT" || !manifests.has("v1")) return false;
      request.resume();
      refuse(response, 400, "TAG_INVALID");
      return true;
    });
    await push(destination());
    isSecond = true;
    registry.requests();
    await push(destination());
    expect(writes(registry.requests())).toEqual(["PUT manifests/v1"]);
  });

  it("reports the error response itself if the tag is not the reason", async () => {
    const { destination } = await open(() => (request, response) => {
      if (request.method !== "PUT") return false;
      request.resume();
      refuse(response, 403, "DENIED");
      return true;
    });
    await expect(destination().manifest(image.manifest, image.manifestBytes)).rejects.toMatchObject({
      code: "MOTE_FORBIDDEN",
    });
  });
});
