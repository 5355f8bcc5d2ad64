import { MoteError } from "@mote/core";
import { describe, expect, it } from "vitest";
import { type Mirrors, MirrorTable } from "./mirrors.js";

const places = (mirrors: Mirrors, registry: string, repository: string) =>
  new MirrorTable(mirrors)
    .of({ registry, repository })
    .map(({ scheme, registry: host, repository: name, namespace }) =>
      [scheme === undefined ? "" : `${scheme}://`, host, "/", name, namespace ? `?ns=${namespace}` : ""].join(""),
    );

function codeOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : error;
  }
  return undefined;
}

describe("the mirrors of a repository", () => {
  it("are those of its registry, in order, and receive its name if they mirror all of it", () => {
    const mirrors = { "docker.io": ["one.example", "http://two.example:5000/", "https://three.example/hub/cache"] };
    expect(places(mirrors, "docker.io", "library/alpine")).toEqual([
      "one.example/library/alpine?ns=docker.io",
      "http://two.example:5000/library/alpine?ns=docker.io",
      "https://three.example/hub/cache/library/alpine",
    ]);
    expect(places(mirrors, "ghcr.io", "library/alpine")).toEqual([]);
  });

  it("are those of the longest prefix of path components", () => {
    const mirrors = { "r.example": ["all.example"], "r.example/a": ["a.example"], "r.example/a/b": ["b.example/x"] };
    expect(places(mirrors, "r.example", "c")).toEqual(["all.example/c?ns=r.example"]);
    expect(places(mirrors, "r.example", "a/c")).toEqual(["a.example/c"]);
    expect(places(mirrors, "r.example", "ab")).toEqual(["all.example/ab?ns=r.example"]);
    expect(places(mirrors, "r.example", "a/b")).toEqual(["b.example/x"]);
    expect(places(mirrors, "r.example", "a/b/c")).toEqual(["b.example/x/c"]);
    expect(places(mirrors, "r.example:5000", "a")).toEqual([]);
  });

  it("apply to all names of a registry", () => {
    expect(places({ "index.docker.io": ["m.example"] }, "docker.io", "a/b")).toEqual(["m.example/a/b?ns=docker.io"]);
    expect(places({ "R.example": ["m.example"] }, "r.EXAMPLE", "a/b")).toEqual(["m.example/a/b?ns=r.example"]);
  });

  it("cannot be an invalid location, and text that may be a password is not shown", () => {
    for (const mirror of [
      "",
      "a b",
      "ftp://a",
      "ann:s3cret@m.example",
      "m.example/UPPER",
      "m.example?x=s3cret",
      "m/a:tag",
    ]) {
      expect([mirror, codeOf(() => places({ "r.example": [mirror] }, "r.example", "a"))]).toEqual([
        mirror,
        "MOTE_CONFIG",
      ]);
    }
    for (const prefix of ["", "https://r.example", "r.example/a:tag", "*"]) {
      expect([prefix, codeOf(() => places({ [prefix]: [] }, "r.example", "a"))]).toEqual([prefix, "MOTE_CONFIG"]);
    }
    for (const mirror of ["ann:s3cret@m.example", "m.example?x=s3cret"]) {
      expect(() => places({ r: [mirror] }, "r", "a")).toThrow("misconfigured");
      expect(() => places({ r: [mirror] }, "r", "a")).not.toThrow("s3cret");
    }
    expect(codeOf(() => places({ "r.example/a": ["m.example"] }, "r.example", "a"))).toBe("MOTE_CONFIG");
  });
});
