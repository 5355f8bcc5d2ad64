import { MoteError } from "@mote/core";
import { describe, expect, it } from "vitest";
import { type Hosts, hostSet, isLoopback } from "./http/hosts.js";
import { checkRepositoryName, readRegistry, registryOrigin } from "./repository-location.js";

const origin = (registry: string, scheme?: "http" | "https", plainHttp: Hosts = false) =>
  registryOrigin({ registry, scheme }, { plainHttp: hostSet(plainHttp, "plainHttp") }).origin;

function codeOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : error;
  }
  return undefined;
}

describe("the location of a registry", () => {
  it("uses plain HTTP on loopback addresses, and TLS otherwise", () => {
    for (const host of ["127.0.0.1:5000", "127.9.9.9", "localhost:5000", "[::1]:5000", "LOCALHOST"]) {
      expect([host, isLoopback(host), origin(host).startsWith("http://")]).toEqual([host, true, true]);
    }
    for (const host of ["registry.example", "10.0.0.1:5000", "127.0.0.1.example", "128.0.0.1", "localhost.example"]) {
      expect([host, isLoopback(host), origin(host).startsWith("https://")]).toEqual([host, false, true]);
    }
  });

  it("keeps a given scheme, and otherwise uses the requested one", () => {
    expect(origin("127.0.0.1:5000", "https")).toBe("https://127.0.0.1:5000");
    expect(origin("registry.example", "http")).toBe("http://registry.example");
    expect(origin("registry.example", undefined, true)).toBe("http://registry.example");
    expect(origin("registry.example", "https", true)).toBe("https://registry.example");
    expect(origin("registry.example:5000", undefined, ["registry.example:5000"])).toBe("http://registry.example:5000");
    expect(origin("registry.example:5000", undefined, ["registry.example"])).toBe("https://registry.example:5000");
  });

  it("of docker.io is the host of its API", () => {
    expect(origin("docker.io")).toBe("https://registry-1.docker.io");
  });

  it("that is not a host is an error", () => {
    for (const host of ["", "a b", "user:pass@host", "host/path", "host?x", "host#x", "host:port"]) {
      expect([host, codeOf(() => origin(host))]).toEqual([host, "MOTE_INVALID_REFERENCE"]);
    }
  });

  it("is parsed in all usual notations", () => {
    expect(readRegistry("R.example:5000")).toEqual({ registry: "r.example:5000" });
    expect(readRegistry("http://r.example/")).toEqual({ registry: "r.example", scheme: "http" });
    expect(readRegistry("https://index.docker.io/v1/")).toEqual({ registry: "docker.io", scheme: "https" });
    expect(readRegistry("[::1]:5000")).toEqual({ registry: "[::1]:5000" });
    for (const text of ["", "a/b", "ann:s3cret@r.example", "https://", "ftp://r.example", "r.example?x", "a:b:c"]) {
      expect([text, codeOf(() => readRegistry(text))]).toEqual([text, "MOTE_INVALID_REFERENCE"]);
    }
    expect(() => readRegistry("ann:s3cret@r.example")).not.toThrow("s3cret");
  });

  it("has repositories whose names cannot leave it", () => {
    expect(checkRepositoryName("library/a__b.c-d/e--f")).toBe("library/a__b.c-d/e--f");
    for (const name of ["", "A", "a//b", "../a", "a/..", "a?b", "a/", "/a", "a".repeat(256), "a:b"]) {
      expect([name, codeOf(() => checkRepositoryName(name))]).toEqual([name, "MOTE_INVALID_REFERENCE"]);
    }
  });
});
