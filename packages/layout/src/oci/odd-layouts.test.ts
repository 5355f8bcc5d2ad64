import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type ContentSource, type Descriptor, digestBytes, MoteError, mediaTypes, parseManifest } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rawTar } from "../../test/raw-tar.js";
import { DockerArchiveSource, LayoutSource, OciArchiveSource } from "../index.js";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-odd-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const encode = (body: unknown) => new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
const refName = "org.opencontainers.image.ref.name";
const imageName = "io.containerd.image.name";

/** The files of a layout by name. The same seed results in the same manifest. */
const files = new Map<string, Uint8Array>();
beforeEach(() => files.clear());

function put(bytes: Uint8Array, mediaType: string): Descriptor {
  const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
  files.set(`blobs/sha256/${descriptor.digest.slice("sha256:".length)}`, bytes);
  return descriptor;
}

function image(seed: number): Descriptor {
  const config = put(encode({ seed }), mediaTypes.ociConfig);
  return put(encode({ schemaVersion: 2, config, layers: [] }), mediaTypes.ociManifest);
}

function layout(
  entries: readonly object[],
  marker: string | undefined = '{"imageLayoutVersion":"1.0.0"}',
): LayoutSource {
  if (marker !== undefined) files.set("oci-layout", encode(marker));
  files.set("index.json", encode({ schemaVersion: 2, manifests: entries }));
  for (const [name, bytes] of files) {
    mkdirSync(join(dir, name, ".."), { recursive: true });
    writeFileSync(join(dir, name), bytes);
  }
  return new LayoutSource(dir);
}

async function errorOf(work: Promise<unknown>): Promise<MoteError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!MoteError.isInstance(error)) throw new Error("nothing was thrown", { cause: error });
  return error;
}

async function digestOf(source: ContentSource, name: string): Promise<string> {
  return (await source.resolve(name)).digest;
}

describe("names in a layout", () => {
  const named = (entry: Descriptor, annotations: Readonly<Record<string, unknown>>) => ({ ...entry, annotations });

  it.each<[string, Record<string, string>]>([
    ["containerd, Docker and BuildKit", { [imageName]: "docker.io/library/app:1", [refName]: "1" }],
    ["podman", { [refName]: "docker.io/library/app:1" }],
    ["skopeo, of a short name", { [refName]: "app:1" }],
  ])("as %s write them are found by tag, name and complete reference", async (_, annotations) => {
    const [app, other] = [image(1), image(2)];
    const source = layout([named(other, { [refName]: "2" }), named(app, annotations)]);
    for (const name of ["1", "app:1", "library/app:1", "docker.io/library/app:1"])
      expect(await digestOf(source, name), name).toBe(app.digest);
    for (const name of ["app", "app:2", "r.example/app:1", "pp:1", "3"])
      expect((await errorOf(source.resolve(name))).code, name).toBe("MOTE_NOT_FOUND");
  });

  it("that match exactly take precedence", async () => {
    const [tag, full] = [image(1), image(2)];
    const source = layout([named(full, { [refName]: "docker.io/library/app:1" }), named(tag, { [refName]: "1" })]);
    expect(await digestOf(source, "1")).toBe(tag.digest);
    expect(await digestOf(source, "app:1")).toBe(full.digest);
  });

  it("that several images have as their tag are ambiguous, and the error lists the images' names", async () => {
    const [app, other] = [image(1), image(2)];
    const source = layout([
      named(app, { [imageName]: "docker.io/library/app:latest", [refName]: "latest" }),
      named(other, { [imageName]: "r.example/other:latest", [refName]: "latest" }),
    ]);
    expect(await digestOf(source, "app")).toBe(app.digest);
    expect(await digestOf(source, "r.example/other:latest")).toBe(other.digest);
    const { code, message } = await errorOf(source.resolve("latest"));
    expect(code).toBe("MOTE_INVALID_MANIFEST");
    for (const text of [app.digest, "docker.io/library/app:latest", other.digest, "r.example/other:latest"])
      expect(message).toContain(text);
  });

  it("that are not strings are ignored", async () => {
    const [one, two] = [image(1), image(2)];
    const source = layout([named(one, { [refName]: 1 }), { ...two, annotations: null }]);
    expect(await digestOf(source, "@0")).toBe(one.digest);
    expect(await errorOf(source.resolve("1"))).toMatchObject({ code: "MOTE_NOT_FOUND", details: { tags: [] } });
  });
});

describe("a layout is read", () => {
  it.each<[string, string | undefined]>([
    ["without oci-layout", undefined],
    ["with an oci-layout that is empty", ""],
    ["with an oci-layout that is not JSON", "1.0.0"],
    ["of version 1", '{"imageLayoutVersion":"1"}'],
    ["of version 1.1.0", '{"imageLayoutVersion":"1.1.0","x":1}'],
  ])("%s", async (_, marker) => {
    files.set("keep", encode(""));
    const one = image(1);
    const source = marker === undefined ? layoutWithoutMarker(one) : layout([one], marker);
    expect(await digestOf(source, "")).toBe(one.digest);
  });

  function layoutWithoutMarker(entry: Descriptor): LayoutSource {
    const source = layout([entry]);
    rmSync(join(dir, "oci-layout"));
    return source;
  }

  it("but without an index.json its images are not listed", async () => {
    const source = layout([image(1)]);
    rmSync(join(dir, "index.json"));
    expect(await errorOf(source.images())).toMatchObject({
      code: "MOTE_UNSUPPORTED_FORMAT",
      message: expect.stringContaining("it has no index.json"),
    });
  });

  it("but not of version 2", async () => {
    const source = layout([image(1)], '{"imageLayoutVersion":"2.0.0"}');
    expect((await errorOf(source.resolve(""))).code).toBe("MOTE_UNSUPPORTED_FORMAT");
  });
});

describe("an archive of docker save", () => {
  const layer = encode("a layer");
  const config = encode({ os: "linux", architecture: "amd64", rootfs: { diff_ids: [digestBytes(layer)] } });
  const id = digestBytes(config).slice("sha256:".length);

  function archive(content: Readonly<Record<string, unknown>>): string {
    const path = join(dir, "a.tar");
    const entries = Object.entries(content).map(([name, body]) => ({
      name,
      flag: "0",
      text: body instanceof Uint8Array ? Buffer.from(body).toString("latin1") : JSON.stringify(body),
    }));
    writeFileSync(path, rawTar(entries));
    return path;
  }

  async function manifestOf(path: string, name = "") {
    await using source = new DockerArchiveSource(path);
    const root = await source.resolve(name);
    const manifest = parseManifest(await source.manifest(root), root.mediaType);
    if (manifest.kind === "index") throw new Error("an index");
    for (const one of [...(manifest.config ? [manifest.config] : []), ...manifest.layers])
      for await (const _ of await source.blob(one));
    return manifest;
  }

  it.each([`${id}.json`, `./${id}.json`, `blobs/sha256/${id}`])("may name its config %s", async (name) => {
    const path = archive({
      "manifest.json": [{ Config: name, RepoTags: ["app:1"], Layers: ["./l/layer.tar"], LayerSources: {} }],
      [name]: config,
      "l/layer.tar": layer,
    });
    expect((await manifestOf(path, "app:1")).layers).toMatchObject([{ digest: digestBytes(layer) }]);
  });

  it.each<[string, Record<string, unknown>, object]>([
    ["with Layers and RepoTags of null", { Layers: null, RepoTags: null }, { rootfs: { diff_ids: [] } }],
    ["without Layers and RepoTags", {}, { rootfs: { diff_ids: null } }],
    ["with RepoTags that are not text", { RepoTags: [1, null] }, {}],
    ["with a configuration that is a list", {}, []],
  ])("is read %s", async (_, fields, body) => {
    const path = archive({ "manifest.json": [{ Config: "c.json", ...fields }], "c.json": body });
    expect((await manifestOf(path)).layers).toEqual([]);
  });

  it.each<[string, unknown]>([
    ["that is not JSON", encode("not JSON")],
    ["without rootfs", { os: "linux" }],
    ["with a rootfs of null", { rootfs: null }],
    ["with diff_ids that are not digests", { rootfs: { diff_ids: [null] } }],
  ])("is read with a config %s, and its layers are hashed", async (_, body) => {
    const list = [{ Config: "c.json", Layers: ["layer.tar"] }];
    const path = archive({ "manifest.json": list, "c.json": body, "layer.tar": layer });
    expect((await manifestOf(path)).layers).toEqual([
      { mediaType: mediaTypes.ociLayer, digest: digestBytes(layer), size: layer.byteLength },
    ]);
  });

  it("is rejected if its config has other layers", async () => {
    const path = archive({ "manifest.json": [{ Config: "c.json", Layers: [] }], "c.json": config });
    expect((await errorOf(manifestOf(path))).code).toBe("MOTE_INVALID_MANIFEST");
  });

  it("that is also a layout is read as either", async () => {
    const manifest = { config: { digest: `sha256:${id}`, size: config.byteLength }, layers: [] };
    const digest = digestBytes(encode(manifest));
    const path = archive({
      "manifest.json": [{ Config: `blobs/sha256/${id}`, RepoTags: ["app:1"], Layers: ["layer"] }],
      "index.json": { manifests: [{ digest, size: encode(manifest).byteLength, annotations: { [refName]: "1" } }] },
      [`blobs/sha256/${digest.slice(7)}`]: manifest,
      [`blobs/sha256/${id}`]: config,
      layer,
    });
    expect((await manifestOf(path, "app:1")).layers).toHaveLength(1);
    await using source = new OciArchiveSource(path);
    expect(await digestOf(source, "1")).toBe(digest);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ["a layout", { "index.json": { manifests: [] } }, "oci-archive:"],
    ["an archive of a Docker before 1.10", { repositories: { app: { 1: "x" } } }, "before 1.10"],
    ["something else", { file: 1 }, "check the path"],
  ])("reports that a tar is %s", async (_, content, advice) => {
    const error = await errorOf(manifestOf(archive(content)));
    expect(error.code).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect(error.message).toContain(advice);
  });

  it("is told apart from a layout", async () => {
    await using source = new OciArchiveSource(archive({ "manifest.json": [] }));
    expect((await errorOf(source.resolve(""))).message).toContain("docker-archive:");
  });

  it("may have compressed layers", async () => {
    const path = join(dir, "gz.tar");
    writeFileSync(
      path,
      gzipSync(
        rawTar([
          { name: "manifest.json", flag: "0", text: JSON.stringify([{ Config: "c", Layers: ["l"] }]) },
          { name: "c", flag: "0", text: "{}" },
          { name: "l", flag: "0", text: "plain" },
        ]),
      ),
    );
    expect((await manifestOf(path)).layers).toMatchObject([{ mediaType: mediaTypes.ociLayer }]);
  });
});
