import { describe, expect, it } from "vitest";
import { parseImageName, parseRepositoryName } from "./repository-name.js";

const digest = `sha256:${"9f".repeat(32)}`;

describe("a name in a tag store", () => {
  it.each([
    ["docker.io/library/alpine:3", "docker.io", "library/alpine", "3", undefined],
    ["127.0.0.1:5000/a/b:1", "127.0.0.1:5000", "a/b", "1", undefined],
    ["localhost/app:1", "localhost", "app", "1", undefined],
    ["[::1]:5000/app:1", "[::1]:5000", "app", "1", undefined],
    ["Registry/app:1", "Registry", "app", "1", undefined],
    ["app:1", undefined, "app", "1", undefined],
    ["team/app:1", undefined, "team/app", "1", undefined],
    [`ghcr.io/app@${digest}`, "ghcr.io", "app", undefined, digest],
    [`ghcr.io/app:1@${digest}`, "ghcr.io", "app", "1", digest],
  ])("%s names an image in a repository", (name, registry, path, tag, ofDigest) => {
    const full = registry === undefined ? path : `${registry}/${path}`;
    expect(parseImageName(name)).toEqual({ repository: { full, registry, path }, tag, digest: ofDigest });
  });

  it.each([
    "oci:/home/x/build:1",
    "oci:build:1",
    "oci:1",
    "oci:5000/app:1",
    "oci-archive:/x.tar:1",
    "docker-archive:/x/secret.tar:team/app:1",
    "dir:/x:1",
    "dir:x",
    "tarball:/x.tar:1",
    "ocidir:///x:1",
    "containers-storage:docker.io/library/a:1",
    `docker-daemon:${digest}`,
    "/home/x:1",
    "./x:1",
    "~/x:1",
    "C:\\x:1",
    "C:/x:1",
    "file:///x:1",
    "app",
    "team/app",
    "1.0",
    digest,
    `@${digest}`,
    "app@sha256:12",
    "app:",
    "app:-",
    "app:a b",
    "host.example:port/app:1",
    "host.example:123456/app:1",
    "-host.example/app:1",
    "user@host.example/app:1",
    "ghcr.io/App:1",
    "ghcr.io//app:1",
    "ghcr.io/../app:1",
    `${"a".repeat(256)}:1`,
    `app:${"1".repeat(129)}`,
    "",
  ])("%s does not name a repository", (name) => {
    expect(parseImageName(name)).toBe(undefined);
  });

  it("is parsed in linear time", () => {
    for (const text of ["a-".repeat(2000), "a".repeat(4096), "-".repeat(4096), "a__".repeat(1300), "[".repeat(4096)]) {
      expect(parseImageName(`ghcr.io/${text}:1`)).toBe(undefined);
      expect(parseRepositoryName(`${text}.x/app`)).toBe(undefined);
    }
  });
});
