import { markdownTable } from "./markdown-table.js";
import type { Results } from "./results.js";
import { wordingOf } from "./wording.js";

const begin = "<!-- Quoted from docs/benchmarks.md by `pnpm bench`. -->";
const end = "<!-- End of the quotation. -->";

/** The rows in the README: suite, title of the row, and label there. */
const quotes = [
  {
    suite: "pull",
    row: "warm pull into a new layout, 5 gzip layers, 82 MB",
    label: "pull 82 MB again, into a new layout",
  },
  { suite: "pull", row: "cold pull, 5 gzip layers, 82 MB", label: "pull 82 MB for the first time" },
  { suite: "cache", row: "put 4 KiB, visible, 16 callers", label: "put small blobs" },
  { suite: "cache", row: "verified get 4 KiB, 16 callers", label: "get small blobs, verified" },
  { suite: "engine", row: "verify 10,000 blobs of 4 KiB", label: "verify 10,000 blobs" },
  { suite: "engine", row: "verified read of 1 GiB", label: "read 1 GiB, verified" },
];

/** Replaces the table in the README. Returns a README without the markers unchanged. */
export function withQuotes(readme: string, results: Results): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from === -1 || to < from) return readme;
  return `${readme.slice(0, from + begin.length)}\n\n${quoted(results)}\n\n${readme.slice(to)}`;
}

function quoted({ suites }: Results): string {
  const rows = quotes.flatMap(({ suite, row, label }) => {
    const outcome = suites[suite]?.rows.find(({ title }) => title === row);
    if (outcome === undefined) return [];
    const { mote, peer, ratio } = wordingOf(outcome);
    return [[label, mote, peer, ratio]];
  });
  const columns = [
    { head: "work" },
    { head: "mote", right: true },
    { head: "peer", right: true },
    { head: "ratio (min–max)", right: true },
  ];
  return markdownTable(columns, rows).join("\n");
}
