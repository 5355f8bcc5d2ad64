import { type Descriptor, type Digest, type ManifestOptions, mediaTypes } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { transfer } from "../src/index.js";
import { MemoryCache } from "./memory-cache.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { addImage, addIndex } from "./memory-images.js";

/** Records `tagFollows`. */
class NotingDestination extends MemoryDestination {
  readonly tagFollows = new Map<Digest, boolean>();

  override async manifest(descriptor: Descriptor, bytes: Uint8Array, options: ManifestOptions = {}): Promise<void> {
    await super.manifest(descriptor, bytes);
    this.tagFollows.set(descriptor.digest, options.tagFollows ?? false);
  }
}

let source: MemorySource;
let destination: NotingDestination;
const referrers = new Map<Digest, Descriptor[]>();

beforeEach(() => {
  source = new MemorySource();
  destination = new NotingDestination();
  referrers.clear();
  source.referrers = async function* ({ digest }) {
    yield* referrers.get(digest) ?? [];
  };
});

function push(refs: readonly string[], more: { readonly referrers?: boolean; readonly tags?: readonly string[] } = {}) {
  return transfer({ source, destination, cache: new MemoryCache(), refs, ...more });
}

function sign(subject: Descriptor, name: string): Descriptor {
  const config = source.addJson({}, mediaTypes.ociEmpty);
  const mediaType = mediaTypes.ociManifest;
  const annotations = { name };
  const signature = source.addJson(
    { schemaVersion: 2, mediaType, config, layers: [], subject, annotations },
    mediaType,
  );
  referrers.set(subject.digest, [...(referrers.get(subject.digest) ?? []), signature]);
  return signature;
}

describe("manifests are sent to the destination", () => {
  // docker/hub-feedback#2372: Docker Hub rejects a referrer without its subject.
  it("after what they refer to, at any depth", async () => {
    const image = addImage(source, "v1", [500]);
    const index = addIndex(source, [addIndex(source, [image.root])]);
    source.tags.set("index", index);
    const [ofIndex, ofImage] = [sign(index, "a"), sign(image.root, "b")];
    const [ofSignature, ofThat] = [sign(ofIndex, "c"), sign(ofImage, "d")];
    await push(["index"], { referrers: true });
    const at = ({ digest }: Descriptor) => destination.order.indexOf(digest);
    for (const [subject, referrer] of [
      [image.root, index],
      [index, ofIndex],
      [image.root, ofImage],
      [ofIndex, ofSignature],
      [ofImage, ofThat],
    ] as const) {
      expect(at(subject)).toBeGreaterThanOrEqual(0);
      expect(at(referrer)).toBeGreaterThan(at(subject));
    }
  });

  it("with tagFollows, unless another manifest needs them", async () => {
    const [child, single, signed] = [1, 2, 3].map((seed) => addImage(source, `v${seed}`, [500], seed).root);
    if (child === undefined || single === undefined || signed === undefined) throw new Error("no images");
    const index = addIndex(source, [child]);
    source.tags.set("index", index);
    const signature = sign(signed, "a");
    await push(["index", "v1", "v2", "v3"], { referrers: true });
    expect(Object.fromEntries(destination.tagFollows)).toEqual({
      [child.digest]: false,
      [index.digest]: true,
      [single.digest]: true,
      [signed.digest]: false,
      [signature.digest]: false,
    });
  });

  it("without tagFollows if they get no tag", async () => {
    const { root } = addImage(source, "v1", [500]);
    await push([root.digest]);
    expect(destination.tagFollows.get(root.digest)).toBe(false);
  });
});
