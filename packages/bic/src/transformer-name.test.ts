import { describe, expect, it } from "vitest";
import { mergeTransformerNames, transformerBase, transformerSatisfies } from "./transformer-name.js";

describe("transformer names", () => {
  it("end their base at the first colon", () => {
    expect(["zstd", "zstd:chunked", "a:b:c"].map(transformerBase)).toEqual(["zstd", "zstd", "a"]);
  });

  it("satisfy themselves and their base, and a base does not satisfy a variant", () => {
    expect(transformerSatisfies("zstd", "zstd")).toBe(true);
    expect(transformerSatisfies("zstd:chunked", "zstd")).toBe(true);
    expect(transformerSatisfies("zstd", "zstd:chunked")).toBe(false);
    expect(transformerSatisfies("zstdlike", "zstd")).toBe(false);
  });

  it("keep a known variant when its base is recorded again", () => {
    expect(mergeTransformerNames("zstd:chunked", "zstd")).toBe("zstd:chunked");
    expect(mergeTransformerNames("zstd", "zstd:chunked")).toBe("zstd:chunked");
    expect(mergeTransformerNames("zstd:chunked", "gzip")).toBe("gzip");
    expect(mergeTransformerNames("zstd:chunked", "zstd:other")).toBe("zstd:other");
  });
});
