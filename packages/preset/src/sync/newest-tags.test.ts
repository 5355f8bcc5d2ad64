import {
  BytesReader,
  type ContentSource,
  type Descriptor,
  digestBytes,
  MoteError,
  mediaTypes,
  type Ref,
} from "@mote/core";
import { expect, it } from "vitest";
import { newestTags } from "./newest-tags.js";

const blobs = new Map<string, Uint8Array>();
const tags = new Map<string, Descriptor>();

function store(document: object, mediaType: string): Descriptor {
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  const digest = digestBytes(bytes);
  blobs.set(digest, bytes);
  return { digest, size: bytes.byteLength, mediaType };
}

function image(config: object, annotations?: Record<string, string>): Descriptor {
  const stored = store(config, mediaTypes.ociConfig);
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: stored, layers: [], annotations };
  return store(manifest, mediaTypes.ociManifest);
}

tags.set("1.9", image({ created: "2026-03-01T00:00:00Z" }));
tags.set("1.10", image({ created: "2026-01-01T00:00:00Z" }));
tags.set(
  "2.0",
  image({ created: "1970-01-01T00:00:00Z" }, { "org.opencontainers.image.created": "2026-02-01T00:00:00Z" }),
);
tags.set("odd", image({ created: "yesterday" }));
const index = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [image({ created: "2026-04-01T00:00:00Z" })],
};
tags.set("index", store(index, mediaTypes.ociIndex));

const read = ({ digest }: Descriptor) => blobs.get(digest) ?? new Uint8Array();
const source: ContentSource = {
  async resolve(ref) {
    const found = typeof ref === "string" ? undefined : tags.get(ref.tag ?? "");
    if (found !== undefined) return found;
    throw new MoteError("MOTE_NOT_FOUND", "no such tag");
  },
  manifest: async (descriptor) => read(descriptor),
  blob: async (descriptor) => new BytesReader(descriptor, read(descriptor)),
};
const ref: Ref = { transport: "docker", registry: "example.org", repository: "app" };
const all = [...tags.keys(), "gone"];

it.each<[number, "version" | "time", string[]]>([
  [1, "time", ["index"]],
  [2, "time", ["1.9", "index"]],
  [3, "time", ["1.9", "2.0", "index"]],
  [4, "time", ["1.10", "1.9", "2.0", "index"]],
  [100, "time", [...all].sort()],
])("the newest %d tags by %s are %j", async (count, by, expected) => {
  expect(await newestTags(source, ref, all, { count, by })).toEqual(expected);
});

it("by version, no image is read", async () => {
  const unread = { ...source, resolve: () => Promise.reject(new Error("read")) };
  expect(await newestTags(unread, ref, ["1.9", "1.10", "2.0"], { count: 2, by: "version" })).toEqual(["1.10", "2.0"]);
  await expect(newestTags(unread, ref, ["1.9"], { count: 1, by: "time" })).rejects.toThrow("read");
});
