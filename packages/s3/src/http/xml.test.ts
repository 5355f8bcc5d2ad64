import { describe, expect, it } from "vitest";
import { childElements, childText, escapeXml, parseXml } from "./xml.js";

describe("the XML of S3", () => {
  it("is parsed without regard to namespaces, attributes and comments", () => {
    const page = parseXml(
      `<?xml version="1.0" encoding="UTF-8"?>\n<s3:List xmlns:s3="x"><!-- c --><Contents a="1>2" ><Key>a&amp;b&#33;&#x21;</Key><Size/></Contents><Contents><Key>c</Key></Contents></s3:List>\n`,
    );
    expect(page.name).toBe("List");
    expect(childElements(page, "Contents").map((each) => childText(each, "Key"))).toEqual(["a&b!!", "c"]);
    expect(childText(childElements(page, "Contents")[0] ?? page, "Size")).toBe("");
    expect(childText(page, "Other")).toBe(undefined);
  });

  it.each([
    "",
    "text",
    "<a>",
    "</a>",
    "<a></b>",
    "<a/><b/>",
    "<a>1</a>2",
    "<a",
    "<html><br></html>",
    "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
    "<a>".repeat(100) + "</a>".repeat(100),
  ])("is refused if it is %j", (text) => {
    expect(() => parseXml(text)).toThrow(SyntaxError);
  });

  it("of a hostile document is refused or parsed without delay", () => {
    for (const text of [
      `<a ${" b".repeat(500_000)}`,
      "<".repeat(500_000),
      `<a>${"&#".repeat(500_000)}</a>`,
      `<!--${"-".repeat(500_000)}`,
    ]) {
      try {
        parseXml(text);
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
      }
    }
  });

  it("contains any text escaped", () => {
    for (const text of [`<&>"'`, "a\u0001b", "👾 é"]) expect(parseXml(`<a>${escapeXml(text)}</a>`).text).toBe(text);
  });
});
