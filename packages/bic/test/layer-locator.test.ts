import {
  type Digest,
  digestBytes,
  LAYER_SCOPE,
  LayerBlobInfo,
  LayerLocator,
  MoteError,
  type Ref,
  type RefCodec,
} from "@mote/core";
import { describe, expect, it } from "vitest";
import { MemoryStorage } from "../src/memory-storage.js";
import { StoredBlobInfoCache } from "../src/stored-blob-info-cache.js";

/** Parses `docker://registry/repository:tag` and `transport:path`. */
const refCodec: RefCodec = {
  parse(text) {
    const docker = /^(?:docker:\/\/)?([^/:]+)\/([^:]+):(\w+)$/.exec(text);
    if (docker !== null) {
      const [, registry = "", repository = "", tag = ""] = docker;
      return {
        transport: "docker",
        registry: registry === "index.docker.io" ? "docker.io" : registry,
        repository,
        tag,
      };
    }
    const path = /^(dir|oci):(.+)$/.exec(text);
    if (path === null) throw new MoteError("MOTE_INVALID_REFERENCE", text);
    return { transport: path[1] === "dir" ? "dir" : "oci", path: path[2] ?? "" };
  },
  format(ref, options) {
    if (ref.transport !== "docker") return `${ref.transport}:${ref.path}`;
    return `${options?.scheme ? "docker://" : ""}${ref.registry}/${ref.repository}:${ref.tag}`;
  },
  transport: (text) => (text.startsWith("dir:") ? "dir" : "oci"),
  transports: ["oci", "dir"],
};

const digest = (name: string): Digest => digestBytes(new TextEncoder().encode(name));
const layer = { digest: digest("layer") };
const here = "docker://here.example/to/repo:v1";
const any = { matchRegistry: false };

function setup() {
  const bic = new StoredBlobInfoCache(async () => new MemoryStorage());
  return { bic, locator: new LayerLocator(bic, refCodec) };
}

const text = (refs: Ref[]) => refs.map((ref) => refCodec.format(ref));

describe("LayerLocator", () => {
  it("records under the codec's transport, the layer scope, and the reference with its scheme", async () => {
    const { bic, locator } = setup();
    await locator.recordLayerSource(layer, "here.example/from/repo:v1");
    const [found] = await bic.candidateLocations("oci", LAYER_SCOPE, layer.digest, { canSubstitute: false });
    expect(found?.location).toBe("docker://here.example/from/repo:v1");
  });

  it("finds known references newest first, given as text or parsed", async () => {
    const { locator } = setup();
    await locator.recordLayerSource(layer, "a.example/x:1");
    await locator.recordLayerSource(layer, refCodec.parse("b.example/x:1"));
    await locator.recordLayerSource({ digest: digest("other") }, "c.example/x:1");
    expect(text(await locator.locateLayer(layer, here, any))).toEqual(["b.example/x:1", "a.example/x:1"]);
    expect(await locator.locateLayerDigest(layer.digest, refCodec.parse(here), any)).toEqual(
      await locator.locateLayer(layer, here, any),
    );
  });

  it("finds nothing for an unknown layer", async () => {
    expect(await setup().locator.locateLayer(layer, here, any)).toEqual([]);
  });

  it("finds only references on the destination's registry, by its normalised name, with matchRegistry", async () => {
    const { locator } = setup();
    for (const ref of ["docker.io/a:1", "here.example/b:1", "index.docker.io/c:1", "oci:layout"]) {
      await locator.recordLayerSource(layer, ref);
    }
    const matched = { matchRegistry: true };
    expect(text(await locator.locateLayer(layer, "docker.io/to:1", matched))).toEqual([
      "docker.io/c:1",
      "docker.io/a:1",
    ]);
    expect(text(await locator.locateLayer(layer, here, matched))).toEqual(["here.example/b:1"]);
    expect(await locator.locateLayer(layer, "oci:elsewhere", matched)).toEqual([]);
    expect((await locator.locateLayer(layer, here, any)).length).toBe(4);
  });

  it("finds only locations of the destination's transport", async () => {
    const { locator } = setup();
    await locator.recordLayerSource(layer, "dir:folder");
    await locator.recordLayerSource(layer, "here.example/a:1");
    expect(text(await locator.locateLayer(layer, "dir:elsewhere", any))).toEqual(["dir:folder"]);
    expect(text(await locator.locateLayer(layer, here, any))).toEqual(["here.example/a:1"]);
  });

  it("skips invalid and equivalent references before it applies max", async () => {
    const { bic, locator } = setup();
    await locator.recordLayerSource(layer, "docker.io/old:1");
    await locator.recordLayerSource(layer, "elsewhere.example/a:1");
    for (const location of ["docker://index.docker.io/new:1", "docker://docker.io/new:1", "?", ""]) {
      await bic.recordKnownLocation("oci", LAYER_SCOPE, layer.digest, location);
    }
    const options = { matchRegistry: true, max: 2 };
    expect(text(await locator.locateLayer(layer, "docker.io/to:1", options))).toEqual([
      "docker.io/new:1",
      "docker.io/old:1",
    ]);
  });

  it("does not return other forms of the content", async () => {
    const { bic, locator } = setup();
    await bic.recordDigestUntransformedPair(layer.digest, digest("plain"));
    await locator.recordLayerSource({ digest: digest("plain") }, "here.example/a:1");
    expect(await locator.locateLayer(layer, here, any)).toEqual([]);
  });

  it("rejects invalid references and digests", async () => {
    const { locator } = setup();
    await expect(locator.recordLayerSource(layer, "?")).rejects.toMatchObject({ code: "MOTE_INVALID_REFERENCE" });
    await expect(locator.locateLayer(layer, "?", any)).rejects.toMatchObject({ code: "MOTE_INVALID_REFERENCE" });
    await expect(locator.locateLayerDigest("x" as Digest, here, any)).rejects.toMatchObject({
      code: "MOTE_INVALID_DIGEST",
    });
  });

  it("rejects with the reason of the signal when aborted", async () => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(setup().locator.locateLayer(layer, here, { ...any, signal })).rejects.toBe(reason);
  });
});

describe("LayerBlobInfo", () => {
  it("maps each layer to its references without docker://, newest first, and an unknown layer to none", async () => {
    const { locator } = setup();
    const [one, two, three] = [digest("one"), digest("two"), digest("three")];
    for (const ref of ["a.example/x:1", "b.example/x:1", "oci:folder"])
      await locator.recordLayerSource({ digest: one }, ref);
    await locator.recordLayerSource({ digest: two }, "c.example/x:1");
    expect(await new LayerBlobInfo([one, two, three], locator).getSources()).toEqual(
      new Map([
        [one, ["oci:folder", "b.example/x:1", "a.example/x:1"]],
        [two, ["c.example/x:1"]],
        [three, []],
      ]),
    );
    const bounded = await new LayerBlobInfo([one], locator, { max: 1 }).getSources();
    expect(bounded.get(one)).toEqual(["oci:folder"]);
  });
});
