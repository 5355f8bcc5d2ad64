import { MoteError } from "@mote/core";
import { describe, expect, it } from "vitest";
import { assertMovable } from "./movable.js";
import { parseRef } from "./parse-ref.js";

const hex = "9f".repeat(32);

describe("a transport", () => {
  it.each([
    "alpine",
    "http://127.0.0.1:5000/a",
    "oci:dir:1",
    "oci:dir:@0",
    "oci-archive:a.tar:1",
    "docker-archive:a.tar",
    "dir:a",
  ])("is accepted if content can be copied over it: %s", (text) => {
    expect(() => assertMovable(parseRef(text))).not.toThrow();
  });

  it.each([
    ["ocidir://dir:1", "oci:dir:1"],
    ["docker-daemon:a:1", "skopeo copy docker-daemon:docker.io/library/a:1 oci:DIR:TAG, then oci:DIR:TAG"],
    ["containers-storage:a:1", "skopeo copy containers-storage:docker.io/library/a:1 oci:DIR:TAG, then oci:DIR:TAG"],
    ["tarball:a.tar", expect.any(String)],
    [`hash://sha256/${hex}`, `docker://REGISTRY/NAME@sha256:${hex}, if it is on a registry`],
  ])("is rejected with advice if it is only parsed: %s", (text, instead) => {
    const ref = parseRef(text);
    try {
      assertMovable(ref);
      expect.unreachable();
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      expect(error.code).toBe("MOTE_UNSUPPORTED_TRANSPORT");
      expect(error.details).toEqual({ transport: ref.transport, instead });
    }
  });
});
