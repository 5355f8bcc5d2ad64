import { type Digest, type Membership, MoteError, mediaTypes, type RegistryRef } from "@mote/core";
import { beforeEach, expect, it } from "vitest";
import { transfer } from "../src/index.js";
import { MemoryCache } from "./memory-cache.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { addImage, addIndex, addManifest } from "./memory-images.js";

const from: RegistryRef = { transport: "docker", registry: "ghcr.io", repository: "team/app" };
const to: RegistryRef = { transport: "docker", registry: "127.0.0.1:5000", repository: "copy" };

let source: MemorySource;
let recorded: Map<string, Digest[]>;
let cache: MemoryCache & { membership: Membership };

beforeEach(() => {
  source = new MemorySource();
  recorded = new Map();
  const membership: Membership = {
    record: async (repository, digest) => {
      // A manifest is stored before it is recorded.
      expect(cache.has(digest)).toBe(true);
      recorded.set(repository, [...(recorded.get(repository) ?? []), digest].sort());
    },
    has: async () => false,
    async *list() {},
    async *repositories() {},
    remove: async () => {},
  };
  cache = Object.assign(new MemoryCache(), { membership });
});

it("content moved from one repository to another belongs to both: roots, entries of indexes, and referrers", async () => {
  const [one, other] = [addImage(source, "one", [10], 1).root, addImage(source, "other", [10], 2).root];
  const index = addIndex(source, [one, other]);
  source.tags.set("v1", index);
  const config = source.addJson({}, mediaTypes.ociConfig);
  const subject = { mediaType: index.mediaType, digest: index.digest, size: index.size };
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [], subject };
  const signature = source.addJson(body, mediaTypes.ociManifest);
  source.referrers = async function* ({ digest }) {
    if (digest === index.digest) yield signature;
  };
  source.ref = from;
  const destination = Object.assign(new MemoryDestination(), { ref: to });
  await transfer({ source, destination, cache, refs: ["v1"], referrers: true });
  const all = [index, one, other, signature].map(({ digest }) => digest).sort();
  expect(recorded).toEqual(
    new Map([
      ["ghcr.io/team/app", all],
      ["127.0.0.1:5000/copy", all],
    ]),
  );
});

it("nothing is recorded for locations that are not registries", async () => {
  addImage(source, "v1", [10]);
  await transfer({ source, destination: new MemoryDestination(), cache, refs: ["v1"] });
  expect(recorded.size).toBe(0);
});

it("a manifest that is not in the cache is not recorded", async () => {
  source.ref = from;
  const { config, layers } = addImage(source, "v1", [10]);
  const destination = new MemoryDestination();
  for (const { digest } of [config, ...layers]) {
    destination.contents.set(digest, source.contents.get(digest) ?? new Uint8Array());
  }
  source.tags.set("v1", addManifest(source, config, layers));
  await transfer({ source, destination, cache, refs: ["v1"] });
  expect(recorded.size).toBe(0);
});

it("an error of the membership store does not fail the transfer", async () => {
  source.ref = from;
  addImage(source, "v1", [10]);
  cache.membership.record = async () => {
    throw new MoteError("MOTE_NO_SPACE", "full");
  };
  expect((await transfer({ source, cache, refs: ["v1"] })).manifests.count).toBe(1);
});
