import { describe, expect, it } from "vitest";
import { jsonText } from "./output.js";
import { createStyle, escapeText, fit, textWidth, toTerminal } from "./terminal-text.js";
import { textTable } from "./text-table.js";

/** One of each kind of character that a terminal may interpret. */
const hostile =
  "\u0000\u0007\b\r\n\t\u001b]0;title\u0007\u001b[31m\u007f\u0085\u009b31m\u2028\u2029\u202e\u2066\u200e\u200f\u061c\u200b\ufeff\u{e0041}\ud800";
const harmless = /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]*$/u;

describe("untrusted text", () => {
  it("is shown with every control character, separator and direction mark as an escape", () => {
    expect(escapeText("a\u001b[31mb\r\n\tc\u202ed\u{e0041}\u009b")).toBe(
      "a\\u001b[31mb\\r\\n\\tc\\u202ed\\udb40\\udc41\\u009b",
    );
    expect(escapeText(hostile)).toMatch(harmless);
    expect(toTerminal(hostile)).toMatch(harmless);
  });

  it("is not changed if it is printable, in any script", () => {
    for (const text of ["app:1.0", "größe", "データ", "مجموعة", "👩‍💻", 'a\\b "c"'])
      expect(escapeText(text)).toBe(text);
  });

  it("is not changed by a second escape", () => {
    expect(escapeText(escapeText(hostile))).toBe(escapeText(hostile));
  });

  it("cannot color a line that mote colors", () => {
    const { red } = createStyle(true);
    expect(toTerminal(`${red("mote:")} \u001b[32mfine\u001b[39m`)).toBe(
      "\u001b[31mmote:\u001b[39m \\u001b[32mfine\\u001b[39m",
    );
  });

  it("is measured and cut as it is shown", () => {
    const { bold } = createStyle(true);
    const shown = toTerminal(fit(bold(`ab${hostile}`), 12));
    expect(shown.startsWith("\u001b[1mab\\u0000")).toBe(true);
    expect(textWidth(fit(hostile, 12))).toBe(12);
  });

  it("keeps its column in a table", () => {
    const columns = [{ title: "NAME" }, { title: "SIZE" }];
    const rows = [
      ["a\nb", "1"],
      ["c", "2"],
    ];
    expect(textTable(columns, rows, { width: undefined, style: createStyle(false) })).toEqual(["a\\nb  1", "c     2"]);
  });

  it("is the same value in JSON, and safe to print", () => {
    const document = { [hostile]: [hostile] };
    for (const text of [jsonText(document), jsonText(document, 2)]) {
      expect(text.replaceAll("\n", "")).toMatch(harmless);
      expect(JSON.parse(text)).toEqual(document);
    }
  });
});
