import type { Ref, Transport } from "@mote/core";
import { describe, expect, it } from "vitest";
import { formatRef, parseRef, refCodec, TransportTable, transportFromImageName } from "./index.js";
import { transports as rows } from "./transports.js";

declare module "@mote/core" {
  interface AddedTransports {
    shelf: true;
  }
}

/** `shelf://NAME[:TAG]` */
const shelf: Transport = {
  name: "shelf",
  prefix: "shelf://",
  parse(text, start) {
    const [path = "", tag] = text.slice(start).split(":");
    return { transport: "shelf", path, ...(tag === undefined ? {} : { tag }) };
  },
  format: ({ tag, ...ref }: Ref) => `${"path" in ref ? ref.path : ""}${tag === undefined ? "" : `:${tag}`}`,
  recordedAs: "shelf",
  reads: true,
  writes: false,
  holdsMany: true,
  byDigest: true,
};

describe("a table of transports", () => {
  it("parses and formats references of an added transport", () => {
    const transports = new TransportTable([...rows, shelf]);
    const ref = parseRef("shelf://top:1", { transports });
    expect(ref).toEqual({ transport: "shelf", path: "top", tag: "1" });
    expect(formatRef(ref, { transports })).toBe("shelf://top:1");
    expect(transportFromImageName("shelf://top:1", { transports })).toBe("shelf");
    expect(transports.recorded).toContain("shelf");
  });

  it("rejects transports that were not added", () => {
    expect(() => parseRef("shelf://top:1")).toThrow("known transport");
    expect(transportFromImageName("shelf://top:1")).toBe("oci");
    expect(() => formatRef({ transport: "shelf", path: "top" })).toThrow("known transport");
  });

  it.each([
    [{ ...shelf, prefix: "shelf:" }],
    [{ ...shelf, name: "http" as const, prefix: "http://" } as unknown as Transport],
    [{ ...shelf, name: "oci" as const, prefix: "oci:" }],
  ])("rejects a row whose references would be ambiguous: %j", (row) => {
    expect(() => new TransportTable([...rows, row])).toThrow(TypeError);
  });

  it("records locations under five names", () => {
    expect(refCodec.transports).toEqual(["oci", "oci-archive", "docker-archive", "dir", "tarball"]);
  });
});
