import { type Descriptor, digestBytes, MoteError, mediaTypes, type PathRef } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { MemoryCache } from "../test/memory-cache.js";
import { MemoryDestination, MemorySource } from "../test/memory-endpoints.js";
import { addIndex, addManifest, someBytes } from "../test/memory-images.js";
import { type TransferOptions, transfer } from "./index.js";

const archive: PathRef = { transport: "oci-archive", path: "/a.tar" };
let source: MemorySource;
let destination: MemoryDestination;
let cache: MemoryCache;

beforeEach(() => {
  source = new MemorySource();
  // Registries have the transport docker.
  Object.assign(source, { ref: archive, mayLackBlobs: true });
  destination = new MemoryDestination();
  destination.ref = { transport: "oci", path: "/layout" };
  cache = new MemoryCache();
});

function pull(more: Partial<TransferOptions> = {}) {
  return transfer({ source, destination, cache, refs: ["v1"], ...more });
}

interface Built {
  readonly manifest: Descriptor;
  readonly blobs: readonly Descriptor[];
}

function platform(text: string, seed: number): Built {
  const [os = "", architecture = ""] = text.split("/");
  const config = source.addJson({ os, architecture, seed }, mediaTypes.ociConfig);
  const layer = source.add(someBytes(100, seed), mediaTypes.ociLayer);
  return { manifest: addManifest(source, config, [layer], { platform: { os, architecture } }), blobs: [config, layer] };
}

function index(...entries: readonly Descriptor[]): Descriptor {
  const root = addIndex(source, entries);
  source.tags.set("v1", root);
  return root;
}

function remove(...descriptors: readonly Descriptor[]): void {
  for (const { digest } of descriptors) source.contents.delete(digest);
}

async function errorOf(work: Promise<unknown>): Promise<MoteError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!MoteError.isInstance(error)) throw new Error("nothing was thrown", { cause: error });
  return error;
}

describe("an index with missing platforms", () => {
  it.each<[string, (gone: Built) => readonly Descriptor[]]>([
    ["without the other manifests", ({ manifest }) => [manifest]],
    ["without the other layers", ({ blobs }) => blobs.slice(1)],
    ["without the other configs", ({ blobs }) => blobs.slice(0, 1)],
    ["without any content of the others", ({ manifest, blobs }) => [manifest, ...blobs]],
  ])("%s is moved unchanged with its available platforms, and the missing ones are reported", async (_, gone) => {
    const [amd, arm] = [platform("linux/amd64", 1), platform("linux/arm64", 2)];
    const root = index(amd.manifest, arm.manifest);
    remove(...gone(arm));
    const report = await pull();
    expect(report.refs).toMatchObject([
      { descriptor: root, resolved: root, missing: [{ digest: arm.manifest.digest, platform: arm.manifest.platform }] },
    ]);
    expect(report.warnings).toHaveLength(1);
    for (const part of ["oci-archive:/a.tar", "linux/arm64", arm.manifest.digest, "--platform linux/amd64"])
      expect(report.warnings[0]).toContain(part);
    expect([...destination.contents.keys()].sort()).toEqual(
      [root, amd.manifest, ...amd.blobs].map(({ digest }) => digest).sort(),
    );
    expect(destination.tags.get("v1")).toEqual(root);
    expect(cache.has(root.digest)).toBe(true);
  });

  it("is stored in the cache under its name", async () => {
    const [amd, arm] = [platform("linux/amd64", 1), platform("linux/arm64", 2)];
    const root = index(arm.manifest, amd.manifest);
    remove(arm.manifest);
    const report = await pull({ destination: undefined, tags: ["here"] });
    expect(report.refs[0]?.missing).toHaveLength(1);
    expect(cache.has(root.digest) && cache.has(amd.manifest.digest)).toBe(true);
  });

  it("is rejected for a registry before anything is moved", async () => {
    destination.ref = { transport: "docker", registry: "one.example", repository: "app" };
    const [amd, arm] = [platform("linux/amd64", 1), platform("linux/arm64", 2)];
    const root = index(amd.manifest, arm.manifest);
    remove(arm.manifest);
    const error = await errorOf(pull());
    expect(error).toMatchObject({
      code: "MOTE_NOT_FOUND",
      details: {
        digest: root.digest,
        missing: [{ digest: arm.manifest.digest, platform: "linux/arm64" }],
        platforms: ["linux/amd64"],
      },
    });
    expect(error.message).toContain("--platform linux/amd64");
    expect([...destination.contents]).toEqual([]);
  });

  it("is pushed to a registry that already has the missing platforms", async () => {
    destination.ref = { transport: "docker", registry: "one.example", repository: "app" };
    const [amd, arm] = [platform("linux/amd64", 1), platform("linux/arm64", 2)];
    const root = index(amd.manifest, arm.manifest);
    destination.contents.set(arm.manifest.digest, source.contents.get(arm.manifest.digest) ?? new Uint8Array());
    remove(arm.manifest);
    await pull();
    expect(destination.tags.get("v1")).toEqual(root);
  });

  it("can provide an available platform to a registry", async () => {
    destination.ref = { transport: "docker", registry: "one.example", repository: "app" };
    const [amd, arm] = [platform("linux/amd64", 1), platform("linux/arm64", 2)];
    index(amd.manifest, arm.manifest);
    remove(arm.manifest, ...arm.blobs);
    const report = await pull({ platform: "linux/amd64" });
    expect(report.refs).toMatchObject([{ descriptor: { digest: amd.manifest.digest } }]);
    expect(report.warnings).toEqual([]);
  });

  it("does not replace a missing platform with another one", async () => {
    const [amd, arm] = [platform("linux/amd64", 1), platform("linux/386", 2)];
    index(amd.manifest, arm.manifest);
    remove(amd.manifest);
    const error = await errorOf(pull({ platform: "linux/amd64" }));
    expect(error).toMatchObject({ code: "MOTE_NO_PLATFORM", details: { missing: amd.manifest.digest } });
    expect(destination.tags.size).toBe(0);
  });

  it("is MOTE_NOT_FOUND if all platforms are missing", async () => {
    const [amd, arm] = [platform("linux/amd64", 1), platform("linux/arm64", 2)];
    const attestation = addManifest(source, source.addJson({}, mediaTypes.ociConfig), [], {
      platform: { os: "unknown", architecture: "unknown" },
    });
    index(amd.manifest, attestation, arm.manifest);
    remove(amd.manifest, arm.manifest);
    const error = await errorOf(pull());
    expect(error).toMatchObject({ code: "MOTE_NOT_FOUND", details: { platforms: [] } });
    expect(error.message).toContain("linux/arm64");
  });

  it("is completed by what the cache already has", async () => {
    const [amd, arm] = [platform("linux/amd64", 1), platform("linux/arm64", 2)];
    index(amd.manifest, arm.manifest);
    await pull({ destination: undefined });
    remove(arm.manifest, ...arm.blobs);
    const report = await pull();
    expect(report.refs[0]?.missing).toBeUndefined();
    expect(destination.contents.has(arm.blobs[1]?.digest ?? digestBytes(new Uint8Array()))).toBe(true);
  });

  it("may be nested in another index", async () => {
    const [amd, arm] = [platform("linux/amd64", 1), platform("linux/arm64", 2)];
    const inner = addIndex(source, [amd.manifest, arm.manifest]);
    const root = index(inner);
    remove(arm.manifest);
    const report = await pull();
    expect(report.refs).toMatchObject([{ descriptor: root, missing: [{ digest: arm.manifest.digest }] }]);
    expect(destination.contents.has(amd.manifest.digest) && destination.contents.has(inner.digest)).toBe(true);
  });
});

describe("an entry of an index with an unknown media type", () => {
  const odd = "application/vnd.acme.thing.v1+json";

  it("is moved with what it refers to if it is a manifest", async () => {
    const amd = platform("linux/amd64", 1);
    const root = index({ ...amd.manifest, mediaType: "text/plain" });
    const report = await pull();
    expect(report.warnings).toEqual([]);
    for (const { digest } of [root, amd.manifest, ...amd.blobs]) expect(destination.contents.has(digest)).toBe(true);
    expect((await cache.find(amd.manifest.digest))?.mediaType ?? mediaTypes.ociManifest).toBe(mediaTypes.ociManifest);
  });

  it("is moved alone with a warning if it is another JSON document", async () => {
    const amd = platform("linux/amd64", 1);
    const thing = source.addJson({ things: [1] }, odd);
    index(amd.manifest, thing);
    const report = await pull();
    expect(report.warnings).toEqual([expect.stringContaining(odd)]);
    expect(report.manifests.count).toBe(3);
    expect(destination.contents.has(thing.digest)).toBe(true);
  });

  it("is sent as a blob if the destination rejects it as a manifest", async () => {
    const thing = source.addJson({ things: [1] }, odd);
    const root = index(thing);
    const taken: string[] = [];
    const { manifest, blob } = destination;
    destination.manifest = async (descriptor, bytes) => {
      if (descriptor.mediaType === odd) throw new MoteError("MOTE_REGISTRY", "unknown media type");
      await manifest.call(destination, descriptor, bytes);
    };
    destination.blob = async (descriptor, chunks, options) => {
      taken.push(descriptor.digest);
      await blob.call(destination, descriptor, chunks, options);
    };
    await pull();
    expect(taken).toEqual([thing.digest]);
    expect(destination.tags.get("v1")).toEqual(root);
  });

  it.each([
    ["bytes that are not JSON", new TextEncoder().encode("PNG")],
    ["a JSON document that is not an object", new TextEncoder().encode("[1]")],
  ])("is moved as a blob if it is %s", async (_, bytes) => {
    const thing = source.add(bytes, odd);
    index(thing);
    const report = await pull();
    expect(report.copied.count).toBe(1);
    expect(destination.contents.get(thing.digest)).toEqual(bytes);
  });

  it("is moved as a blob if the source has it as a blob", async () => {
    const thing = source.addJson({ things: [1] }, odd);
    const root = index(thing);
    const { manifest } = source;
    source.manifest = async (descriptor) => {
      if (descriptor.digest === thing.digest) throw new MoteError("MOTE_NOT_FOUND", "not a manifest");
      return manifest.call(source, descriptor);
    };
    const report = await pull();
    expect(report.copied.count).toBe(1);
    expect(destination.tags.get("v1")).toEqual(root);
  });
});
