import { type Descriptor, digestBytes, type ImageManifest, MoteError, mediaTypes } from "@mote/core";
import { describe, expect, it } from "vitest";
import { artifactFiles } from "./artifact-files.js";

function layer(title: string | undefined, annotations: Readonly<Record<string, string>> = {}): Descriptor {
  const titled = title === undefined ? {} : { "org.opencontainers.image.title": title };
  const digest = digestBytes(new TextEncoder().encode(String(title)));
  return { mediaType: mediaTypes.octetStream, digest, size: 1, annotations: { ...titled, ...annotations } };
}

function manifest(...layers: readonly Descriptor[]): ImageManifest {
  return { kind: "manifest", mediaType: mediaTypes.ociManifest, config: layer(undefined), layers };
}

function errorOf(image: ImageManifest): MoteError {
  try {
    artifactFiles(image);
  } catch (error) {
    if (MoteError.isInstance(error)) return error;
  }
  throw new Error("it has files");
}

const titleKey = "org.opencontainers.image.title";
const folder = { "io.deis.oras.content.unpack": "true" };

describe("the files of an artifact", () => {
  it("are its layers with a title, and layers without a title are reported as skipped", () => {
    const [untitled, empty] = [layer(undefined), layer("")];
    const { files, notes } = artifactFiles(manifest(layer("a"), untitled, layer("./b//c"), empty, layer("d/", folder)));
    expect(notes).toEqual([expect.stringMatching(/^left out .*no file name/)]);
    for (const { digest } of [untitled, empty]) expect(notes[0]).toContain(digest);
    expect(notes[0]).toContain(`mote cat ${untitled.digest} > `);
    expect(files.map(({ title, isFolder }) => [title, isFolder])).toEqual([
      ["a", false],
      ["b/c", false],
      ["d", true],
    ]);
  });

  it("do not exist in a container image or an index", () => {
    const config = { ...layer(undefined), mediaType: mediaTypes.ociConfig };
    for (const image of [{ ...manifest(layer(undefined)), config }, manifest()]) {
      expect(errorOf(image).code).toBe("MOTE_NOT_FILES");
    }
    expect(() => artifactFiles({ kind: "index", mediaType: mediaTypes.ociIndex, manifests: [] })).toThrow(
      expect.objectContaining({ code: "MOTE_NOT_FILES" }),
    );
  });

  it("do not exist for several layers without titles, and the error suggests a file name for each", () => {
    const model = { ...layer("1"), mediaType: "application/vnd.acme.gguf", annotations: {} };
    const params = { ...layer("2"), mediaType: "application/vnd.acme.params", annotations: { [titleKey]: "" } };
    const error = errorOf(manifest(model, params));
    expect(error).toMatchObject({ code: "MOTE_NOT_FILES", details: { digests: [model.digest, params.digest] } });
    expect(error.message).toMatch(/mote cat sha256:[0-9a-f]{64} > [0-9a-f]{12}\.gguf/);
    for (const { digest } of [model, params]) expect(error.message).toContain(digest);
  });

  it.each<[string, string, Record<string, string>, RegExp]>([
    [
      "a chart",
      "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
      { [titleKey]: "redis", "org.opencontainers.image.version": "1.2.3+up" },
      /^redis-1\.2\.3\+up\.tgz$/,
    ],
    ["a module", "application/wasm", {}, /^[0-9a-f]{12}\.wasm$/],
    ["a bundle", "application/vnd.dev.sigstore.bundle.v0.3+json", {}, /^[0-9a-f]{12}\.json$/],
    [
      "what has a title that is not a valid name",
      "text/plain",
      { [titleKey]: "../../etc/passwd" },
      /^etc-passwd\.txt$/,
    ],
    ["what has a title of dots alone", mediaTypes.octetStream, { [titleKey]: ".." }, /^[0-9a-f]{12}$/],
    ["what has a hidden name for a title", mediaTypes.octetStream, { [titleKey]: ".mote-x" }, /^mote-x$/],
    ["what has a long title", "application/zip", { [titleKey]: "x".repeat(5000) }, /^x{100}\.zip$/],
    ["what is called as its file", "application/json", { [titleKey]: "a.json" }, /^a\.json$/],
  ])("are one file if the only layer has no title: %s", (_, mediaType, annotations, name) => {
    const single = { ...layer("1"), mediaType, annotations: {} };
    const { files, notes } = artifactFiles({ ...manifest(single), annotations });
    expect(files).toEqual([{ title: expect.stringMatching(name), descriptor: single, isFolder: false }]);
    expect(notes).toEqual([expect.stringContaining(`written as ${files[0]?.title}`)]);
    expect(notes[0]).toContain(single.digest);
  });

  it.each([
    ".",
    "..",
    "../x",
    "a/../../x",
    "a/../b",
    "/etc/passwd",
    "C:\\x",
    "c:x",
    "a\\..\\x",
    "a\0b",
    "a\nb",
    "\u001b[31m",
    ".mote-0123456789abcdef",
    "a/.mote-x",
    "x".repeat(5000),
  ])("may not have the name %j", (title) => {
    const hostile = layer(title);
    const error = errorOf(manifest(hostile, layer("other")));
    expect(error).toMatchObject({ code: "MOTE_INVALID_NAME", details: { digest: hostile.digest } });
    expect(error.message).toContain(`mote cat ${hostile.digest} > `);
  });

  it("may not have the same name, or one below another", () => {
    for (const titles of [
      ["a", "./a"],
      ["a", "a/b"],
      ["a/b/c", "a"],
      [".", "a"],
    ]) {
      const layers = titles.map((title) => layer(title, folder));
      expect(() => artifactFiles(manifest(...layers))).toThrow(expect.objectContaining({ code: "MOTE_INVALID_NAME" }));
    }
    const two = [layer("a"), layer("a", { other: "" })];
    expect(errorOf(manifest(...two))).toMatchObject({ details: { digests: two.map(({ digest }) => digest) } });
    expect(artifactFiles(manifest(layer("a"), layer("a.b"), layer("ab/c"))).files).toHaveLength(3);
  });
});
