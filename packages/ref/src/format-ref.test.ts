import { describe, expect, it } from "vitest";
import { formatRef } from "./format-ref.js";
import { parseRef } from "./parse-ref.js";

const sha256 = `sha256:${"9f".repeat(32)}`;

describe("the canonical text", () => {
  it.each([
    ["alpine", "docker.io/library/alpine:latest"],
    ["docker://index.docker.io/alpine:3", "docker.io/library/alpine:3"],
    [`alpine@${sha256}`, `docker.io/library/alpine@${sha256}`],
    [`ghcr.io/a:1@${sha256}`, `ghcr.io/a:1@${sha256}`],
    ["http://127.0.0.1:5000/a", "http://127.0.0.1:5000/a:latest"],
    ["http://registry/a", "http://registry:80/a:latest"],
    ["docker://oci:5000/a", "docker://oci:5000/a:latest"],
    ["oci:dir:1", "oci:dir:1"],
    ["oci:dir:@007", "oci:dir:@7"],
    ["docker-archive:a.tar:alpine", "docker-archive:a.tar:docker.io/library/alpine:latest"],
    ["ocidir:///a:1", "ocidir:///a:1"],
    [`hash://sha256/${"9f".repeat(32)}`, `hash://sha256/${"9f".repeat(32)}`],
    [`docker-daemon:${sha256}`, `docker-daemon:${sha256}`],
  ])("of %s is %s", (text, canonical) => {
    expect(formatRef(parseRef(text))).toBe(canonical);
  });

  it.each([
    ["alpine", "docker://docker.io/library/alpine:latest"],
    ["http://127.0.0.1:5000/a", "http://127.0.0.1:5000/a:latest"],
    ["oci:dir:1", "oci:dir:1"],
  ])("of %s with its transport is %s", (text, canonical) => {
    expect(formatRef(parseRef(text), { scheme: true })).toBe(canonical);
  });

  it.each([
    ["docker://alpine", "docker.io/library/alpine:latest"],
    ["http://127.0.0.1:5000/a", "127.0.0.1:5000/a:latest"],
    ["oci:dir:1", "dir:1"],
    ["ocidir://dir:1", "dir:1"],
  ])("of %s without its transport is %s", (text, canonical) => {
    expect(formatRef(parseRef(text), { scheme: false })).toBe(canonical);
  });
});

describe("the short text", () => {
  it.each([
    ["docker.io/library/alpine:3", "alpine:3"],
    ["docker.io/grafana/loki:3", "grafana/loki:3"],
    [`docker.io/library/alpine@${sha256}`, `alpine@${sha256}`],
    ["ghcr.io/library/alpine:3", "ghcr.io/library/alpine:3"],
    ["docker.io/library/a/b:1", "library/a/b:1"],
    ["oci:dir:1", "oci:dir:1"],
    ["https://docker.io/alpine:3", "https://docker.io/library/alpine:3"],
  ])("of %s is %s", (text, short) => {
    expect(formatRef(parseRef(text), { short: true })).toBe(short);
  });

  it.each([
    ["docker.io/ghcr.io/alpine:3", "docker.io/ghcr.io/alpine:3"],
    ["docker.io/localhost/alpine:3", "docker.io/localhost/alpine:3"],
    ["docker.io/library/dir:3", "library/dir:3"],
  ])("of %s stays unambiguous: %s", (text, short) => {
    expect(formatRef(parseRef(text), { short: true })).toBe(short);
    expect(parseRef(short)).toEqual(parseRef(text));
  });

  it("may be shorter with a transport", () => {
    expect(formatRef(parseRef("docker.io/library/dir:3"), { short: true, scheme: true })).toBe("docker://dir:3");
  });
});
