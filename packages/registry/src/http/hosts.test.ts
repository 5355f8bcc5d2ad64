import { MoteError } from "@mote/core";
import { describe, expect, it } from "vitest";
import { hostSet } from "./hosts.js";

describe("a set of hosts", () => {
  it("is all of them, or none", () => {
    expect(hostSet(true, "x").has("a.example")).toBe(true);
    expect(hostSet(false, "x").has("a.example")).toBe(false);
    expect(hostSet(undefined, "x").has("a.example")).toBe(false);
  });

  it("contains the named hosts with exactly their ports, ignoring case", () => {
    const set = hostSet(["a.example", "B.example:5000", "[::1]:5000", "docker.io", "c.example:443"], "x");
    for (const host of [
      "a.example",
      "A.EXAMPLE",
      "b.example:5000",
      "[::1]:5000",
      "registry-1.docker.io",
      "c.example",
    ]) {
      expect([host, set.has(host)]).toEqual([host, true]);
    }
    for (const host of ["a.example:5000", "b.example", "x.a.example", "d.example", ""]) {
      expect([host, set.has(host)]).toEqual([host, false]);
    }
  });

  it("cannot contain an invalid host", () => {
    for (const host of [
      "",
      "a/b",
      "https://a.example",
      "user:s3cret@a.example",
      "a b",
      "a.example/",
      "*",
      "*.example",
    ]) {
      let thrown: unknown;
      try {
        hostSet([host], "plainHttp");
      } catch (error) {
        thrown = error;
      }
      expect([host, MoteError.isInstance(thrown) && thrown.code]).toEqual([host, "MOTE_CONFIG"]);
      expect(JSON.stringify(thrown)).not.toContain("s3cret");
    }
  });
});
