import { statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { BytesReader, type ContentSource, digestBytes, mediaTypes } from "@mote/core";
import { describe, expect, it } from "vitest";
import { carry, makeTree, readTree } from "../../test/file-trees.js";
import { into, send } from "../../test/files-setup.js";
import { type RawEntry, rawTar } from "../../test/raw-tar.js";
import { type Arrange, arrangeBelow } from "./arranged-files.js";
import { artifactFiles } from "./artifact-files.js";
import { FilesDestination } from "./files-destination.js";

interface Layer {
  readonly kind: string;
  readonly bytes: Uint8Array;
  readonly path?: string;
  readonly mode?: number;
}

const file = (name: string, text: string, mode = 0o644): RawEntry => ({ name, flag: "0", text, mode });
const text = (content: string) => new TextEncoder().encode(content);

/** A source of a model whose layers have the media types of ModelPack, or another prefix. */
function model(layers: readonly Layer[], prefix = "application/vnd.cncf.model."): ContentSource {
  const blobs = new Map<string, Uint8Array>();
  const add = (bytes: Uint8Array, mediaType: string) => {
    const digest = digestBytes(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const manifest = text(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: add(text('{"manifestVersion":"1.0"}'), `${prefix}config.v1+json`),
      layers: layers.map(({ kind, bytes, path, mode }) => ({
        ...add(bytes, prefix + kind),
        annotations: {
          ...(path === undefined ? {} : { "org.cncf.model.filepath": path }),
          ...(mode === undefined ? {} : { "org.cncf.model.file.metadata+json": JSON.stringify({ mode }) }),
        },
      })),
    }),
  );
  const root = add(manifest, mediaTypes.ociManifest);
  return {
    resolve: async () => root,
    manifest: async () => manifest,
    blob: async (descriptor) => new BytesReader(descriptor, blobs.get(descriptor.digest) ?? new Uint8Array()),
  };
}

describe("the files of a model in a folder", () => {
  it("are its raw layers and the content of its archives, compressed or not", async () => {
    const layers = [
      { kind: "weight.v1.raw", bytes: text("weights"), path: "model.safetensors" },
      { kind: "weight.v1.tar", bytes: rawTar([file("parts/one", "1"), file("parts/two", "2")]), path: "parts" },
      { kind: "weight.config.v1.tar+gzip", bytes: gzipSync(rawTar([file("config.json", "{}")])) },
      { kind: "code.v1.tar", bytes: rawTar([file("run.py", "import", 0o755)]) },
      { kind: "code.v1.raw", bytes: text("#!/bin/sh"), path: "run.sh", mode: 0o755 },
    ];
    await send(model(layers));
    const placed = {
      "model.safetensors": { file: "weights" },
      "parts/one": { file: "1" },
      "parts/two": { file: "2" },
      "config.json": { file: "{}" },
      "run.py": { program: "import" },
      "run.sh": { program: "#!/bin/sh" },
    };
    expect(readTree(into)).toEqual(placed);
    await send(model(layers));
    expect(readTree(into)).toEqual(placed);
    expect(statSync(join(into, "run.sh")).mode & 0o111 & ~process.umask()).toBe(0o111 & ~process.umask());
  });

  it("include the Kitfile of KitOps", async () => {
    const layers = [{ kind: "model.v1.tar+gzip", bytes: gzipSync(rawTar([file("model/m.gguf", "weights")])) }];
    await send(model(layers, "application/vnd.kitops.modelkit."));
    expect(readTree(into)).toEqual({
      Kitfile: { file: '{"manifestVersion":"1.0"}' },
      "model/m.gguf": { file: "weights" },
    });
  });

  it("are selected by their names", async () => {
    const layers = [
      { kind: "weight.v1.raw", bytes: text("weights"), path: "a/model.safetensors" },
      { kind: "dataset.v1.tar", bytes: rawTar([file("rows", "1")]) },
      { kind: "doc.v1.raw", bytes: text("read"), path: "README.md" },
    ];
    await send(model(layers), { only: ({ title }) => title === "dataset" || title.startsWith("a/") });
    expect(readTree(into)).toEqual({ "a/model.safetensors": { file: "weights" }, rows: { file: "1" } });
  });

  it.each<[string, RawEntry]>([
    ["above it", file("../x", "bad")],
    ["with absolute names", file("/x", "bad")],
    ["that are links out of it", { name: "x", flag: "2", link: "../../y" }],
    ["that are devices", { name: "x", flag: "3" }],
  ])("of archives are never %s", async (_, entry) => {
    makeTree(into, { mine: { file: "mine" } });
    const layers = [
      { kind: "weight.v1.raw", bytes: text("weights"), path: "a" },
      { kind: "code.v1.tar", bytes: rawTar([file("good", "1"), entry]) },
    ];
    await expect(send(model(layers))).rejects.toMatchObject({ code: "MOTE_INVALID_ARCHIVE" });
    expect(readTree(into)).toEqual({ mine: { file: "mine" } });
  });

  it("are not unpacked beyond the limits", async () => {
    const layers = [{ kind: "code.v1.tar+gzip", bytes: gzipSync(rawTar([file("zeros", "0".repeat(100_000))])) }];
    await expect(send(model(layers), { maxUnpackedBytes: 1000 })).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
    await expect(send(model(layers), { maxEntries: 0 })).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
  });

  it("never replace other files", async () => {
    makeTree(into, { "run.py": { file: "mine" } });
    const layers = [{ kind: "code.v1.tar", bytes: rawTar([file("run.py", "theirs")]) }];
    await expect(send(model(layers))).rejects.toMatchObject({ code: "MOTE_EXISTS" });
    expect(readTree(into)).toEqual({ "run.py": { file: "mine" } });
  });

  it("are placed below another folder, before the files that refer to them", async () => {
    const layers = [
      { kind: "weight.v1.raw", bytes: text("weights"), path: "model.safetensors" },
      {
        kind: "doc.v1.tar",
        bytes: rawTar([file("README.md", "read"), { name: "same", flag: "1", link: "README.md" }]),
      },
      { kind: "code.v1.tar", bytes: rawTar([file("run.py", "import"), { name: "go", flag: "2", link: "run.py" }]) },
    ];
    const arrange: Arrange = (manifest) => ({
      ...arrangeBelow("snapshots/1", artifactFiles(manifest)),
      pointers: [
        { path: "main", content: text("1") },
        { path: "manifest.json", content: "manifest" },
      ],
    });
    const source = model(layers);
    await using destination = new FilesDestination(into, { arrange, link: true });
    await carry(source, destination);
    await destination[Symbol.asyncDispose]();
    const manifest = new TextDecoder().decode(await source.manifest(await source.resolve("")));
    expect(readTree(into)).toEqual({
      "snapshots/1/model.safetensors": { file: "weights" },
      "snapshots/1/README.md": { file: "read" },
      "snapshots/1/same": { file: "read" },
      "snapshots/1/run.py": { file: "import" },
      "snapshots/1/go": { link: "run.py" },
      main: { file: "1" },
      "manifest.json": { file: manifest },
    });
    expect(destination.paths()).toEqual(["snapshots/1/model.safetensors", "snapshots/1", "main", "manifest.json"]);
    makeTree(into, { main: { file: "2" } });
    await expect(send(source, { arrange })).rejects.toMatchObject({ code: "MOTE_EXISTS" });
    expect(readTree(into)).toMatchObject({ main: { file: "2" } });
  });
});
