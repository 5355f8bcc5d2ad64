import { describe, expect, it } from "vitest";
import { createStyle } from "./terminal-text.js";
import { shorten, textTable } from "./text-table.js";

const style = createStyle(false);
const columns = [
  { title: "NAME", elastic: true },
  { title: "SIZE", align: "right" },
  { title: "AGE", optional: true },
  { title: "PIN" },
] as const;
const name = "registry.example/a/long/repository/of/tools:1.2.3";

describe("textTable", () => {
  it("cuts nothing and has no titles without a terminal", () => {
    expect(textTable(columns, [[name, "1 kB", "2 d", ""]], { width: undefined, style })).toEqual([
      `${name}  1 kB  2 d`,
    ]);
  });

  it("fits the terminal: it omits an optional column first, then shortens the middle of the elastic one", () => {
    const rows = [
      [name, "1 kB", "2 d", ""],
      ["short", "12 MB", "3 min", "pinned"],
    ];
    for (const width of [30, 40, 60, 80, 120]) {
      for (const line of textTable(columns, rows, { width, style })) expect(line.length).toBeLessThanOrEqual(width);
    }
    const [title, first, second] = textTable(columns, rows, { width: 45, style });
    expect(title).toBe(`NAME${" ".repeat(29)}SIZE  PIN`);
    expect(first).toContain("…");
    expect(first?.startsWith("regist")).toBe(true);
    expect(first).toContain("tools:1.2.3   1 kB");
    expect(second).toMatch(/^short +12 MB {2}pinned$/);
  });

  it("omits an empty column, and is empty without rows", () => {
    expect(textTable(columns, [["a", "1 B", "", ""]], { width: 80, style })).toEqual(["NAME  SIZE", "a      1 B"]);
    expect(textTable(columns, [], { width: 80, style })).toEqual([]);
  });
});

it("keeps the beginning and the end of shortened text", () => {
  expect(shorten("registry.example/app:1", 11)).toBe("re…le/app:1");
  expect(shorten("short", 11)).toBe("short");
});
