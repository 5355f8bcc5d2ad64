import { digestBytes } from "@mote/core";
import { expect, it } from "vitest";
import { nameOfEntry, nameOfImage, readName, renamed } from "./image-name.js";

const digest = digestBytes(new Uint8Array());
const image = { transport: "docker", registry: "docker.io", repository: "library/alpine" } as const;

it("an image keeps its registry, repository and tag", () => {
  expect(nameOfImage({ ...image, tag: "3" })).toEqual({
    full: "docker.io/library/alpine:3",
    repository: "library/alpine",
    tag: "3",
  });
  expect(nameOfImage(image).tag).toBe("latest");
  expect(nameOfImage({ ...image, digest })).toEqual({
    full: `docker.io/library/alpine@${digest}`,
    repository: "library/alpine",
    tag: undefined,
  });
  expect(nameOfImage({ ...image, tag: "3", digest }).full).toBe("docker.io/library/alpine:3");
});

it.each([
  ["ghcr.io/acme/app:1", "acme/app", "1"],
  ["127.0.0.1:5000/app:1", "app", "1"],
  ["acme/app", "acme/app", "latest"],
  ["alpine:3", "alpine", "3"],
  ["1.0", undefined, "1.0"],
  [undefined, undefined, undefined],
  ["../../etc:1", undefined, undefined],
])("the entry %s of an archive has the repository %s and the tag %s", (name, repository, tag) => {
  expect(nameOfEntry(name, digest)).toEqual({ full: name ?? digest, repository, tag });
});

it("a name of a list replaces the name of the source, and its tag only if it has one", () => {
  const own = nameOfImage({ ...image, tag: "3" });
  expect(readName("base/alpine:edge", own)).toEqual({
    full: "base/alpine:edge",
    repository: "base/alpine",
    tag: "edge",
  });
  expect(readName("base/alpine", own).full).toBe("base/alpine:3");
  expect(readName("quay.io/base/alpine", own)).toEqual({
    full: "quay.io/base/alpine:3",
    repository: "base/alpine",
    tag: "3",
  });
  for (const text of ["", "../x:1", "A B", `x@${digest}`, "oci:x"]) {
    expect(() => readName(text, own)).toThrow(expect.objectContaining({ code: "MOTE_INVALID_REFERENCE" }));
  }
});

it("the longest rule replaces the beginning of a name, by whole components", () => {
  const rules = { "docker.io": "hub", "docker.io/library": "base", "docker.io/lib": "wrong" };
  expect(renamed(nameOfImage({ ...image, tag: "3" }), rules).full).toBe("base/alpine:3");
  expect(renamed(nameOfImage({ ...image, repository: "acme/app", tag: "1" }), rules).full).toBe("hub/acme/app:1");
  expect(renamed(nameOfImage({ ...image, tag: "3" }), { "docker.io/library/alpine": "linux" }).full).toBe("linux:3");
  expect(renamed(nameOfImage({ ...image, digest }), rules).full).toBe(`base/alpine@${digest}`);
  const other = nameOfImage({ ...image, registry: "quay.io", tag: "3" });
  expect(renamed(other, rules)).toBe(other);
});
