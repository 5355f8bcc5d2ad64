import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { type Comparison, type Figure, measureRow, type Outcome } from "./compare.js";
import { drawFigure } from "./figure.js";
import { withQuotes } from "./readme-quotes.js";
import { renderReport } from "./report.js";
import { type Results, readResults } from "./results.js";
import { suites } from "./suites.js";
import { wordingOf } from "./wording.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const results = await readResults(join(root, "docs/benchmarks/results.json"));

const slower: Outcome = {
  title: "do <it>",
  unit: "ms",
  mote: 300,
  peer: "peer & co",
  peerValue: 100,
  ratio: { median: 3, min: 2.5, max: 4 },
  goal: { of: "ratio", value: 1.5, met: false },
};
const memory: Outcome = {
  title: "memory of 64 readers",
  unit: "MB",
  value: { median: 32, min: 30, max: 40 },
  goal: { atMost: 64, met: true },
};

describe("the committed report", () => {
  it("is exactly what its results generate", async () => {
    for (const [path, text] of renderReport(results)) {
      expect(await readFile(join(root, "docs", path), "utf8"), `docs/${path}: pnpm bench --render`).toBe(text);
    }
  });

  it("has no results of removed suites", () => {
    expect(Object.keys(results.suites).filter((name) => !(name in suites))).toEqual([]);
  });

  it("has the figures that the README quotes", async () => {
    const readme = await readFile(join(root, "README.md"), "utf8");
    expect(readme, "README.md: pnpm bench --render").toBe(withQuotes(readme, results));
  });
});

describe("a row", () => {
  it("of times is shown in times, with the maximum as its goal", () => {
    expect(wordingOf(slower)).toEqual({
      mote: "300 ms",
      peer: "peer & co: 100 ms",
      ratio: "× 3 (2.5–4)",
      goal: "at most × 1.5: missed",
    });
  });

  it("of mote alone is shown with its limit", () => {
    expect(wordingOf(memory)).toEqual({ mote: "32 (30–40) MB", peer: "", ratio: "", goal: "at most 64 MB: met" });
  });

  it("is measured once more than it counts, alternately with its peer", async () => {
    const order: string[] = [];
    const contender = (name: string) => ({ name, run: async () => void order.push(name) });
    const row: Comparison = { title: "", unit: "runs", amount: 1, mote: contender("mote"), peer: contender("peer") };
    await measureRow(row, 2);
    expect(order).toEqual(["mote", "peer", "mote", "peer", "peer", "mote"]);
  });

  it("with more peers is compared with the fastest, and shows them all in this order", async () => {
    let nowNs = 0n;
    const clock = vi.spyOn(process.hrtime, "bigint").mockImplementation(() => nowNs);
    const contender = (name: string, milliseconds: number) => ({
      name,
      run: async () => {
        nowNs += BigInt(milliseconds * 1e6);
      },
    });
    const [slow, fast, slowest] = [contender("slow", 30), contender("fast", 20), contender("slowest", 60)];
    const mote = contender("mote", 40);
    const row: Comparison = {
      title: "",
      unit: "runs",
      amount: 1,
      goalTime: 2,
      mote,
      peer: slow,
      others: [slowest, fast],
    };
    const outcome = await measureRow(row, 3);
    clock.mockRestore();
    expect(wordingOf(outcome)).toEqual({
      mote: "40 ms",
      peer: "fast: 20 ms; slow: 30 ms; slowest: 60 ms",
      ratio: "× 2",
      goal: "at most × 2: met",
    });
  });

  it("with a slow peer has fewer pairs, and shows that", async () => {
    const run = async () => {};
    const row = { title: "", unit: "runs", amount: 1, mote: { name: "", run }, peer: { name: "", run } } as const;
    expect(await measureRow({ ...row, mostPairs: 2 }, 5)).toMatchObject({ pairs: 2 });
    expect(await measureRow({ ...row, mostPairs: 5 }, 5)).not.toHaveProperty("pairs");
    expect(wordingOf({ ...slower, pairs: 2 }).ratio).toBe("× 3 (2.5–4), 2 pairs");
  });

  it("with a limit is compared by its median", async () => {
    const values = [1000, 9, 1, 2].values();
    const row: Figure = { title: "", unit: "MB", atMost: 2, measure: async () => values.next().value ?? 0 };
    expect(await measureRow(row, 3)).toMatchObject({
      value: { median: 2, min: 1, max: 9 },
      goal: { atMost: 2, met: true },
    });
  });
});

describe("a figure", () => {
  const svg = drawFigure("A & B", [slower, memory]);

  it("escapes its text", () => {
    expect(svg).toContain("A &amp; B");
    expect(svg).toContain("do &lt;it>");
  });

  it("draws slower results to the left of the peer, and results below their limit to the right", () => {
    const one = Number(/class="one" x1="([\d.]+)"/.exec(svg)?.[1]);
    const [missed, met] = [...svg.matchAll(/<rect class="(?:bar|missed)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)];
    expect(Number(missed?.[1]) + Number(missed?.[2])).toBeCloseTo(one);
    expect(Number(met?.[1])).toBeCloseTo(one);
  });
});

describe("a long label", () => {
  it("is wrapped to fit next to its bar", () => {
    const title = "memory of 64 readers of 1 GiB and 64 writers of 64 MiB at once";
    const labels = [...drawFigure("", [{ ...memory, title }]).matchAll(/<text class="label" x="20"[^>]*>([^<]*)</g)];
    const lines = labels.map((match) => match[1] ?? "");
    expect(lines.join(" ")).toBe(title);
    expect(lines.length).toBe(2);
    expect(lines.every((line) => line.length <= 50)).toBe(true);
  });
});

describe("the README", () => {
  const marked = "a\n<!-- Quoted from docs/benchmarks.md by `pnpm bench`. -->\nold\n<!-- End of the quotation. -->\nb";
  const measured: Results = { version: 1, suites: results.suites };

  it("loses only the old figures", () => {
    const text = withQuotes(marked, measured);
    expect(text).toMatch(/^a\n<!--.*<!-- End of the quotation. -->\nb$/s);
    expect(text).not.toContain("old");
    expect(withQuotes(text, measured)).toBe(text);
  });

  it("is not changed without the markers for figures", () => {
    expect(withQuotes("nothing", measured)).toBe("nothing");
  });
});
