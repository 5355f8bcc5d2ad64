import { mediaTypes } from "@mote/core";
import { type Behaviour, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RegistryClient, removeTags } from "../src/index.js";

/** Deletes manifests by digest, with all their tags. */
const byDigest: Behaviour = {
  name: "A manifest is deleted by its digest, with its tags; the deletion of a tag is 405",
  source: "https://distribution.github.io/distribution/spec/api/#deleting-an-image",
  handle({ method, route }, next, { repositories }) {
    if (method !== "DELETE" || route.kind !== "manifest") return next();
    if (!route.reference.includes(":")) return { status: 405 };
    const { manifests, tags } = repositories.get(route.repository);
    for (const [tag, digest] of tags) if (digest === route.reference) tags.delete(tag);
    return { status: manifests.delete(route.reference) ? 202 : 404 };
  },
};
const never: Behaviour = {
  name: "Nothing can be deleted",
  source: "https://distribution.github.io/distribution/about/configuration/#delete",
  handle: ({ method }, next) => (method === "DELETE" ? { status: 405 } : next()),
};

let registry: SimulatedRegistry;
let client: RegistryClient;

async function start(...behaviours: Behaviour[]): Promise<void> {
  await registry?.[Symbol.asyncDispose]();
  registry = await startSimulatedRegistry({ name: "A registry", login: undefined, behaviours, lacks: {} });
  const manifests = ["child", "untagged"].map((name) => put(imageOf(name), mediaTypes.ociManifest, name));
  registry.repositories.get("a/b").tags.delete("untagged");
  put({ schemaVersion: 2, manifests }, mediaTypes.ociIndex, "index");
  put(imageOf("shared"), mediaTypes.ociManifest, "one");
  put(imageOf("shared"), mediaTypes.ociManifest, "two");
  const subject = put(imageOf("signed"), mediaTypes.ociManifest, "signed");
  put({ ...imageOf("signature"), subject }, mediaTypes.ociManifest, "signature");
}

function put(body: object, mediaType: string, tag: string) {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const { digest } = registry.repositories.addManifest("a/b", bytes, mediaType, tag);
  return { mediaType, digest, size: bytes.byteLength };
}

function imageOf(name: string) {
  const config = { mediaType: mediaTypes.ociConfig, digest: `sha256:${"0".repeat(64)}`, size: 2 };
  return { schemaVersion: 2, config, layers: [], annotations: { name } };
}

/** Removes tags, and returns the tags and the number of manifests that are left, and the tags that could not be removed. */
async function remove(...tags: string[]) {
  const before = registry.repositories.get("a/b");
  const remaining = [...before.tags.keys()].filter((tag) => !tags.includes(tag));
  const reasons = await removeTags(client, { registry: registry.host, repository: "a/b" }, tags, { remaining });
  const { tags: left, manifests } = registry.repositories.get("a/b");
  return { left: [...left.keys()].sort(), manifests: manifests.size, kept: [...reasons.keys()] };
}

beforeEach(() => {
  client = new RegistryClient({ retries: 0 });
});
afterEach(async () => {
  await client.close();
  await registry[Symbol.asyncDispose]();
});

it("a manifest is deleted only if no other tag has it, no index lists it, and no tagged signature refers to it", async () => {
  await start(byDigest);
  const all = ["child", "index", "one", "signature", "signed", "two"];
  expect(await remove("child", "one", "signed")).toEqual({
    left: all,
    manifests: 6,
    kept: ["child", "one", "signed"],
  });
  // What nothing else needs goes, and the children of an index stay.
  expect(await remove("index", "signature")).toEqual({
    left: ["child", "one", "signed", "two"],
    manifests: 4,
    kept: [],
  });
  expect(await remove("one", "two", "absent")).toEqual({ left: ["child", "signed"], manifests: 3, kept: [] });
});

it("a registry that deletes tags alone keeps every manifest", async () => {
  await start();
  expect(await remove("child", "one", "signed")).toEqual({
    left: ["index", "signature", "two"],
    manifests: 6,
    kept: [],
  });
});

it("a registry without deletion keeps all tags", async () => {
  await start(never);
  expect((await remove("index", "one")).kept).toEqual(["index", "one"]);
});
