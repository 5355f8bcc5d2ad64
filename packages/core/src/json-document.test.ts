import { describe, expect, it } from "vitest";
import { parseJsonDocument } from "./json-document.js";
import { parseManifest } from "./manifest.js";
import { mediaTypes } from "./media-type.js";

const encode = (text: string) => new TextEncoder().encode(text);

describe("parseJsonDocument", () => {
  it("parses what JSON.parse does", () => {
    const values = [null, 1, "x", [], {}, [[1], { a: { b: ["c"] } }], { "[": "]", '"': ["\\", '\\"'] }];
    for (const value of values) {
      const text = JSON.stringify(value);
      expect(parseJsonDocument(encode(text))).toEqual(JSON.parse(text));
    }
  });

  it("does not count brackets in texts", () => {
    const text = JSON.stringify(["[{".repeat(200), '\\"['.repeat(200), "\\".repeat(200)]);
    expect(parseJsonDocument(encode(text))).toEqual(JSON.parse(text));
  });

  it.each(["[", '{"a":', "[[],"])("refuses a document of %s inside one another, before it is parsed", (open) => {
    const close = open.startsWith("{") ? "}" : "]";
    const nested = (depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;
    expect(() => parseJsonDocument(encode(nested(50)))).not.toThrow();
    expect(() => parseJsonDocument(encode(nested(1_000)))).toThrow(SyntaxError);
    expect(() => parseJsonDocument(encode(open.repeat(500_000)))).toThrow("nested");
  });

  it("refuses what is not UTF-8", () => {
    expect(() => parseJsonDocument(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(TypeError);
  });
});

it("a manifest that is nested very deep in a field that nobody knows is not valid", () => {
  const body = `{"schemaVersion":2,"manifests":[],"x":${"[".repeat(200)}${"]".repeat(200)}}`;
  const parse = () => parseManifest(encode(body), mediaTypes.ociIndex);
  expect(parse).toThrow(expect.objectContaining({ code: "MOTE_INVALID_MANIFEST" }));
});
