import { type Descriptor, digestBytes, type ImageManifest, mediaTypes } from "@mote/core";
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

const folder = { "io.deis.oras.content.unpack": "true" };

describe("the files of an artifact", () => {
  it("are its layers with a title, those without left out", () => {
    const files = artifactFiles(manifest(layer("a"), layer(undefined), layer("./b//c"), layer("d/", folder)));
    expect(files.map(({ title, isFolder }) => [title, isFolder])).toEqual([
      ["a", false],
      ["b/c", false],
      ["d", true],
    ]);
  });

  it("are none in a container image, and none in an index", () => {
    for (const image of [manifest(layer(undefined)), manifest()]) {
      expect(() => artifactFiles(image)).toThrow(expect.objectContaining({ code: "MOTE_NOT_FILES" }));
    }
    expect(() => artifactFiles({ kind: "index", mediaType: mediaTypes.ociIndex, manifests: [] })).toThrow(
      expect.objectContaining({ code: "MOTE_NOT_FILES" }),
    );
  });

  it.each([
    "",
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
  ])("may not be called %j", (title) => {
    expect(() => artifactFiles(manifest(layer(title)))).toThrow(expect.objectContaining({ code: "MOTE_INVALID_NAME" }));
  });

  it("may not meet: one name twice, or one below another", () => {
    for (const titles of [
      ["a", "./a"],
      ["a", "a/b"],
      ["a/b/c", "a"],
      [".", "a"],
    ]) {
      const layers = titles.map((title) => layer(title, folder));
      expect(() => artifactFiles(manifest(...layers))).toThrow(expect.objectContaining({ code: "MOTE_INVALID_NAME" }));
    }
    expect(artifactFiles(manifest(layer("a"), layer("a.b"), layer("ab/c")))).toHaveLength(3);
  });
});
