import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linkTarget, parseLinks } from "./link-header.js";

describe("linkTarget", () => {
  it.each([
    ["</v2/a?n=1>; rel=next", "/v2/a?n=1"],
    ['</a>;rel="next"', "/a"],
    ['</a> ; REL = "NEXT"', "/a"],
    ['</a>; rel="last next"', "/a"],
    ['</first>; rel="first", </second>; title="a, <b>; rel=next"; rel=next', "/second"],
    ['</a,b>; rel="next"', "/a,b"],
    ['</a>; rel="prev"; rel="next"', undefined],
    ['</a>; rel="ne\\xt"', "/a"],
    ["</a>", undefined],
    ["", undefined],
    ["</a; rel=next", undefined],
    ["/a; rel=next", undefined],
    ['</a>; x="; rel=next', undefined],
  ])("of %s is %s", (header, target) => {
    expect(linkTarget([header], "next")).toBe(target);
  });

  it("checks all values of the header", () => {
    expect(linkTarget(["</a>; rel=prev", "</b>; rel=next"], "next")).toBe("/b");
  });
});

it("parses what was formatted", () => {
  const target = fc.stringMatching(/^[^<>]*$/);
  const rel = fc.stringMatching(/^[^"\\\s]+$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(target, rel), { maxLength: 5 }), (links) => {
      const header = links.map(([uri, relation]) => `<${uri}>; rel="${relation}"`).join(", ");
      expect(parseLinks([header]).map(({ target, parameters }) => [target, parameters.rel])).toEqual(links);
    }),
  );
});

it("parses any text in linear time", () => {
  const pieces = fc.array(fc.constantFrom("<", ">", ";", ",", '"', "\\", "=", " ", "rel", "next", "<a>; rel="), {
    maxLength: 200,
  });
  fc.assert(fc.property(pieces, (parts) => void parseLinks([parts.join("")])));
  for (const piece of ["<", "<>", '<>;a="', "<>;", "<>;rel", "\\", ';"', ", ", "<>;rel=next "]) {
    expect(() => parseLinks([piece.repeat(200_000)])).not.toThrow();
  }
});
