import { describe, expect, it } from "vitest";
import { parseJsonDocument } from "./json-document.js";
import { parseManifest } from "./manifest.js";
import { mediaTypes } from "./media-type.js";

const encode = (text: string) => new TextEncoder().encode(text);

describe("parseJsonDocument", () => {
  it("parses what JSON.parse parses", () => {
    const values = [null, 1, "x", [], {}, [[1], { a: { b: ["c"] } }], { "[": "]", '"': ["\\", '\\"'] }];
    for (const value of values) {
      const text = JSON.stringify(value);
      expect(parseJsonDocument(encode(text))).toEqual(JSON.parse(text));
    }
  });

  it("ignores brackets in strings", () => {
    const text = JSON.stringify(["[{".repeat(200), '\\"['.repeat(200), "\\".repeat(200)]);
    expect(parseJsonDocument(encode(text))).toEqual(JSON.parse(text));
  });

  it.each(["[", '{"a":', "[[],"])("rejects a deeply nested document of %s before parsing it", (open) => {
    const close = open.startsWith("{") ? "}" : "]";
    const nested = (depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;
    expect(() => parseJsonDocument(encode(nested(50)))).not.toThrow();
    expect(() => parseJsonDocument(encode(nested(1_000)))).toThrow(SyntaxError);
    expect(() => parseJsonDocument(encode(open.repeat(500_000)))).toThrow("nested");
  });

  it("rejects invalid UTF-8", () => {
    expect(() => parseJsonDocument(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(TypeError);
  });
});

it("a manifest with a deeply nested unknown field is not valid", () => {
  const body = `{"schemaVersion":2,"manifests":[],"x":${"[".repeat(200)}${"]".repeat(200)}}`;
  const parse = () => parseManifest(encode(body), mediaTypes.ociIndex);
  expect(parse).toThrow(expect.objectContaining({ code: "MOTE_INVALID_MANIFEST" }));
});
