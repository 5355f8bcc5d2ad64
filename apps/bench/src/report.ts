import { drawFigure } from "./figure.js";
import { markdownTable } from "./markdown-table.js";
import type { Results, SuiteResults } from "./results.js";
import { type Suite, suites } from "./suites.js";
import { wordingOf } from "./wording.js";

/** The report's files: path below `docs/` → text. The same results give the same files. */
export function renderReport({ suites: measured }: Results): Map<string, string> {
  const sections = Object.entries(suites).flatMap(([name, suite]): Section[] => {
    const results = measured[name];
    return results === undefined ? [] : [{ name, suite, results }];
  });
  return new Map([
    ["benchmarks.md", page(sections)],
    ...sections.map(({ name, suite, results }): [string, string] => [
      `benchmarks/${name}.svg`,
      drawFigure(suite.title, results.rows),
    ]),
  ]);
}

interface Section {
  readonly name: string;
  readonly suite: Suite;
  readonly results: SuiteResults;
}

function page(sections: readonly Section[]): string {
  return [
    "<!-- Written by `pnpm bench` from benchmarks/results.json. Do not edit. -->",
    "",
    "# Benchmarks",
    "",
    ...introduction,
    "## Where they were measured",
    "",
    ...machines(sections),
    ...sections.flatMap(suiteSection),
  ].join("\n");
}

const introduction = [
  "Each row is the same work done by mote and by a peer, in turn, in one run, after a warm-up that is not counted. The ratio is mote's",
  "value over the peer's, pair by pair: the median, and in brackets the least and the greatest. What is told in milliseconds is better",
  "when small, all else when large. Absolute values change with the machine, so the goals are ratios wherever there is a peer.",
  "",
  "To repeat it, in a clone of this repository on a machine with nothing else to do:",
  "",
  "```console",
  "$ npx --yes pnpm@10.34.9 bench                # all of it, and this report",
  "$ npx --yes pnpm@10.34.9 bench pull --pairs 3 # one part, quicker; the report keeps the others",
  "$ npx --yes pnpm@10.34.9 bench ref --no-report # only look",
  "```",
  "",
  "Files are in memory where there is a `/dev/shm`, unless a section says otherwise; `--dir DIR` takes another place. `skopeo`,",
  "`docker-registry` and `openssl` are Debian's packages.",
  "",
];

/** Those measured under the same conditions share a row. */
function machines(sections: readonly Section[]): string[] {
  const shared = new Map<string, { cells: string[]; conditions: string[] }>();
  for (const { name, results } of sections) {
    const { machine, date, pairs, load, fileSystem } = results;
    const versions = Object.entries(machine.versions).map(([program, version]) => `${program} ${version}`);
    const cells = [
      date,
      `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB`,
      machine.kernel,
      versions.join(", "),
    ];
    const conditions = `${name} (${fileSystem}, ${pairs} pairs, load ${load} before)`;
    const before = shared.get(cells.join());
    shared.set(cells.join(), { cells, conditions: [...(before?.conditions ?? []), conditions] });
  }
  return [
    ...markdownTable(
      ["date", "machine", "kernel", "versions", "suites: file system, counted pairs, load average"].map((head) => ({
        head,
      })),
      [...shared.values()].map(({ cells, conditions }) => [...cells, conditions.join("; ")]),
    ),
    "",
  ];
}

function suiteSection({ name, suite, results }: Section): string[] {
  return [
    `## ${suite.title}`,
    "",
    suite.about,
    "",
    `![${suite.title}](benchmarks/${name}.svg)`,
    "",
    ...markdownTable(
      [
        { head: "work" },
        { head: "mote", right: true },
        { head: "peer", right: true },
        { head: "ratio", right: true },
        { head: "goal" },
      ],
      results.rows.map((outcome) => {
        const { mote, peer, ratio, goal } = wordingOf(outcome);
        return [outcome.title, mote, peer, ratio, goal];
      }),
    ),
    "",
  ];
}
