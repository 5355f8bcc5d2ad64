import { describe, expect, it } from "vitest";
import { mergeTransformerNames, transformerBase, transformerSatisfies } from "./transformer-name.js";

describe("transformer names", () => {
  it("have a base before the first colon", () => {
    expect(["zstd", "zstd:chunked", "a:b:c"].map(transformerBase)).toEqual(["zstd", "zstd", "a"]);
  });

  it("serve for themselves, and variants for their base, never the other way", () => {
    expect(transformerSatisfies("zstd", "zstd")).toBe(true);
    expect(transformerSatisfies("zstd:chunked", "zstd")).toBe(true);
    expect(transformerSatisfies("zstd", "zstd:chunked")).toBe(false);
    expect(transformerSatisfies("zstdlike", "zstd")).toBe(false);
  });

  it("keep a known variant when only the base is heard again", () => {
    expect(mergeTransformerNames("zstd:chunked", "zstd")).toBe("zstd:chunked");
    expect(mergeTransformerNames("zstd", "zstd:chunked")).toBe("zstd:chunked");
    expect(mergeTransformerNames("zstd:chunked", "gzip")).toBe("gzip");
    expect(mergeTransformerNames("zstd:chunked", "zstd:other")).toBe("zstd:other");
  });
});
