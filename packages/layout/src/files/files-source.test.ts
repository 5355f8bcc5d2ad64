import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { collectChunks, type Descriptor, digestBytes, parseManifest } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeTree, type Tree } from "../../test/file-trees.js";
import { FilesSource, type FilesSourceOptions } from "./files-source.js";

let dir: string;
let temporaryDir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-files-"));
  temporaryDir = join(dir, "temporary");
  mkdirSync(temporaryDir);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const tree: Tree = {
  "data/b": { file: "two" },
  "data/a": { file: "one" },
  "data/run": { program: "three" },
  "data/sub/link": { link: "../a" },
  "data/empty": { folder: true },
  "model.bin": { file: "weights" },
};

function sourceOf(parent: string, options: FilesSourceOptions = {}): FilesSource {
  const files = ["model.bin", "data"].map((title) => ({ path: join(dir, parent, title), title }));
  return new FilesSource(files, { temporaryDir, ...options });
}

async function manifestOf(source: FilesSource) {
  const root = await source.resolve();
  const bytes = await source.manifest(root);
  expect(digestBytes(bytes)).toBe(root.digest);
  return { root, json: JSON.parse(new TextDecoder().decode(bytes)), manifest: parseManifest(bytes, root.mediaType) };
}

async function textOf(source: FilesSource, descriptor: Descriptor, start = 0): Promise<string> {
  await using reader = await source.blob(descriptor, { start });
  return new TextDecoder().decode(await collectChunks(reader, { maxBytes: 1e6, what: "blob" }));
}

describe("files and folders", () => {
  it("are the layers of an artifact, as oras writes them", async () => {
    makeTree(join(dir, "one"), tree);
    const annotations = { z: "1", a: "2" };
    await using source = sourceOf("one", { artifactType: "application/vnd.acme.model", annotations });
    const { json, manifest } = await manifestOf(source);
    expect(json).toMatchObject({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      artifactType: "application/vnd.acme.model",
      config: { mediaType: "application/vnd.oci.empty.v1+json", size: 2, data: "e30=" },
      layers: [
        {
          mediaType: "application/octet-stream",
          size: 7,
          digest: digestBytes(new TextEncoder().encode("weights")),
          annotations: { "org.opencontainers.image.title": "model.bin" },
        },
        {
          mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
          annotations: { "org.opencontainers.image.title": "data", "io.deis.oras.content.unpack": "true" },
        },
      ],
      annotations: { a: "2", z: "1" },
    });
    expect(Object.keys(json.annotations)).toEqual(["a", "z"]);
    if (manifest.kind !== "manifest" || manifest.config === undefined) throw new Error("no manifest");
    expect(await textOf(source, manifest.config)).toBe("{}");
    const [file] = manifest.layers;
    expect(file && (await textOf(source, file))).toBe("weights");
    expect(file && (await textOf(source, file, 3))).toBe("ghts");
  });

  it("have the same digests for any time, owner and order of creation", async () => {
    makeTree(join(dir, "one"), tree);
    makeTree(join(dir, "two"), Object.fromEntries(Object.entries(tree).reverse()));
    utimesSync(join(dir, "two/data/a"), 1, 1);
    chmodSync(join(dir, "two/data/b"), 0o600);
    await using one = sourceOf("one");
    await using two = sourceOf("two");
    expect(await two.resolve()).toEqual(await one.resolve());
  });

  it("are packed as a tar of exactly these bytes in every release", async () => {
    makeTree(join(dir, "one"), { ...tree, [`data/${"長".repeat(60)}`]: { file: "four" } });
    await using source = sourceOf("one");
    const { json } = await manifestOf(source);
    expect(json.layers[1].annotations["io.deis.oras.content.digest"]).toBe(
      "sha256:dbdf0a98af65fcaed5328fd8470d57db7a4450267a01abe9b89f9afd89fadfb5",
    );
  });

  it("have other digests if a byte, a name, a link or the executable bit differs", async () => {
    const others: Tree[] = [
      { ...tree, "data/a": { file: "One" } },
      { ...tree, "data/c": { file: "" } },
      { ...tree, "data/sub/link": { link: "../b" } },
      { ...tree, "data/a": { program: "one" } },
    ];
    const digests = new Set<string>();
    for (const [at, one] of [tree, ...others].entries()) {
      makeTree(join(dir, String(at)), one);
      await using source = sourceOf(String(at));
      digests.add((await source.resolve()).digest);
    }
    expect(digests.size).toBe(others.length + 1);
  });

  it("are packed as long as the source is open, and a closed source reads nothing", async () => {
    makeTree(join(dir, "one"), tree);
    const source = sourceOf("one");
    await source.resolve();
    expect(readdirSync(temporaryDir)).toHaveLength(1);
    await source[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    expect(readdirSync(temporaryDir)).toEqual([]);
    await expect(source.resolve()).rejects.toMatchObject({ code: "MOTE_CLOSED" });
  });
});

describe("a source is rejected", () => {
  it("for a file that does not exist", async () => {
    await using source = new FilesSource([{ path: join(dir, "none") }]);
    await expect(source.resolve()).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
  });

  it("for a file that changes after it was hashed", async () => {
    makeTree(join(dir, "one"), tree);
    await using source = sourceOf("one");
    const { manifest } = await manifestOf(source);
    writeFileSync(join(dir, "one/model.bin"), "changed");
    utimesSync(join(dir, "one/model.bin"), 1, 1);
    const layer = manifest.kind === "manifest" ? manifest.layers[0] : undefined;
    if (layer === undefined) throw new Error("no layer");
    await expect(source.blob(layer)).rejects.toMatchObject({ code: "MOTE_IO" });
  });

  it("for a directory with a link that leads out of it, and nothing is left", async () => {
    makeTree(join(dir, "one"), tree);
    symlinkSync("../../model.bin", join(dir, "one/data/sub/out"));
    await using source = sourceOf("one");
    await expect(source.resolve()).rejects.toMatchObject({ code: "MOTE_IO" });
    await source[Symbol.asyncDispose]();
    expect(readdirSync(temporaryDir)).toEqual([]);
  });

  it("for conflicting names, names that lead out, invalid media types, and no files", () => {
    const path = join(dir, "x");
    const invalid = expect.objectContaining({ code: "MOTE_INVALID_NAME" });
    expect(() => new FilesSource([{ path }, { path: join(dir, "sub/x") }])).toThrow(invalid);
    expect(
      () =>
        new FilesSource([
          { path, title: "a" },
          { path, title: "a/b" },
        ]),
    ).toThrow(invalid);
    expect(() => new FilesSource([{ path, title: "../x" }])).toThrow(invalid);
    expect(() => new FilesSource([{ path, mediaType: "text" }])).toThrow(TypeError);
    expect(() => new FilesSource([{ path }], { artifactType: "model" })).toThrow(TypeError);
    expect(() => new FilesSource([])).toThrow(TypeError);
  });

  it("after an abort, with its reason, and a later attempt succeeds", async () => {
    makeTree(join(dir, "one"), tree);
    await using source = sourceOf("one");
    const reason = new Error("enough");
    await expect(source.resolve("", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect((await source.resolve()).size).toBeGreaterThan(0);
  });
});

describe("the title of a file without a given title", () => {
  it("is its path below the working directory, or its base name", async () => {
    const titles = async (...paths: string[]) => {
      await using source = new FilesSource(
        paths.map((path) => ({ path })),
        { temporaryDir },
      );
      const { json } = await manifestOf(source);
      return json.layers.map((layer: Descriptor) => layer.annotations?.["org.opencontainers.image.title"]);
    };
    makeTree(join(dir, "one"), tree);
    const here = relative(process.cwd(), import.meta.dirname);
    expect(await titles(`${here}/files-source.ts`, `./${here}/../../package.json`)).toEqual([
      join(here, "files-source.ts"),
      join(here, "..", "..", "package.json"),
    ]);
    expect(await titles(join(dir, "one/model.bin"), `${join(dir, "one/data")}/`)).toEqual(["model.bin", "data"]);
  });
});
