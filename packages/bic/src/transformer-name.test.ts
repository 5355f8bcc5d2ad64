import { describe, expect, it } from "vitest";
import { laterTransformer, transformerBase, transformerServes } from "./transformer-name.js";

describe("transformer names", () => {
  it("have a base before the first colon", () => {
    expect(["zstd", "zstd:chunked", "a:b:c"].map(transformerBase)).toEqual(["zstd", "zstd", "a"]);
  });

  it("serve for themselves, and variants for their base, never the other way", () => {
    expect(transformerServes("zstd", "zstd")).toBe(true);
    expect(transformerServes("zstd:chunked", "zstd")).toBe(true);
    expect(transformerServes("zstd", "zstd:chunked")).toBe(false);
    expect(transformerServes("zstdlike", "zstd")).toBe(false);
  });

  it("keep a known variant when only the base is heard again", () => {
    expect(laterTransformer("zstd:chunked", "zstd")).toBe("zstd:chunked");
    expect(laterTransformer("zstd", "zstd:chunked")).toBe("zstd:chunked");
    expect(laterTransformer("zstd:chunked", "gzip")).toBe("gzip");
    expect(laterTransformer("zstd:chunked", "zstd:other")).toBe("zstd:other");
  });
});
