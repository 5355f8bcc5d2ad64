import { MoteError } from "@mote/core";
import { describe, expect, it } from "vitest";
import { type Hosts, hostSet } from "./http/hosts.js";
import { resolveLocation } from "./redirects.js";

function resolve(location: string, from: string, plainHttp: Hosts = false): string {
  try {
    return resolveLocation(location, new URL(from), {
      plainHttp: hostSet(plainHttp, "plainHttp"),
      subject: { registry: "r.example" },
    }).href;
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : String(error);
  }
}

describe("a location", () => {
  it("may be relative, on the same host, or on another one", () => {
    expect(resolve("/v2/x?y=z", "https://r.example/v2/")).toBe("https://r.example/v2/x?y=z");
    expect(resolve("next", "http://r.example/v2/this")).toBe("http://r.example/v2/next");
    expect(resolve("https://s.example/x", "http://r.example/")).toBe("https://s.example/x");
    expect(resolve("http://s.example/x", "http://r.example/")).toBe("http://s.example/x");
  });

  it("in plain HTTP on a host that was requested over TLS means TLS", () => {
    expect(resolve("http://r.example/x", "https://r.example/")).toBe("https://r.example/x");
    expect(resolve("http://r.example:8443/x", "https://r.example:8443/")).toBe("https://r.example:8443/x");
  });

  it("in plain HTTP on another host is rejected from TLS, unless plain HTTP is allowed", () => {
    expect(resolve("http://s.example/x", "https://r.example/")).toBe("MOTE_REGISTRY");
    expect(resolve("http://r.example:81/x", "https://r.example/")).toBe("MOTE_REGISTRY");
    expect(resolve("http://s.example/x", "https://r.example/", true)).toBe("http://s.example/x");
    expect(resolve("http://s.example/x", "https://r.example/", ["s.example"])).toBe("http://s.example/x");
    expect(resolve("http://s.example/x", "https://r.example/", ["r.example"])).toBe("MOTE_REGISTRY");
  });

  it("that is not an http or https URL is an error", () => {
    for (const location of ["ftp://r.example/", "http://[", "javascript:0"]) {
      expect([location, resolve(location, "http://r.example/")]).toEqual([location, "MOTE_REGISTRY"]);
    }
  });
});
