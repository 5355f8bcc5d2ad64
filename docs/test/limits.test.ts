import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const page = fileURLToPath(new URL("../reference/limits.md", import.meta.url));

/** Factors of units: constants are in bytes and milliseconds. */
const units: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, s: 1000 };

const rows = [
  ...readFileSync(page, "utf8").matchAll(
    /^\| (?<what>[^|]+?) +\| +(?<limit>\d+) ?(?<unit>[a-zA-Z]*) \|[^|]*\| \[`(?<name>\w+)`\]\((?<file>[^)]+)\) *\|$/gm,
  ),
].map((match) => match.groups ?? {});

describe("each limit matches the code", () => {
  it("for all limits of the page", () => {
    expect(rows.length).toBe(readFileSync(page, "utf8").match(/\]\(\.\.\/\.\.\/packages/g)?.length);
  });

  it.each(rows)("$what", ({ limit, unit = "", name, file = "" }) => {
    const source = readFileSync(join(page, "..", file), "utf8");
    const [, value = ""] = new RegExp(`\\b${name}(?: =|:) ([\\d_ *]+)[;,]`).exec(source) ?? [];
    expect([name, product(value)]).toEqual([name, Number(limit) * (units[unit] ?? Number.NaN)]);
  });
});

/** Evaluates numbers with `*` and `**`. */
function product(text: string): number {
  return text
    .replaceAll("_", "")
    .split(/ \* /)
    .map((factor) => factor.split("**").map(Number))
    .reduce((result, [base = Number.NaN, exponent = 1]) => result * base ** exponent, 1);
}
