// Draws the packages and the path of a byte as docs/pictures/*.svg, from the imports of the sources, and an update with a delta. With --check it writes nothing
// and fails if a picture is not current.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { posix } from "node:path";

/** The path of a byte of `mote pull REGISTRY/IMAGE oci:FOLDER`: for each package the file where it comes in and the ones where it goes on to. */
const legs = [
  ["apps/cli", "what the user says", "table/pull.ts", ["wire.ts"]],
  ["packages/preset", "which parts do it", "open-mote.ts", ["transfers/mover.ts", "endpoints/endpoints.ts"]],
  ["packages/transfer", "what is fetched, in what order", "transfer.ts", ["blob-fetch.ts"]],
  ["packages/registry", "the bytes arrive", "pull/repository.ts", ["pull/blob-reader.ts"]],
  ["packages/fs", "verified, synced, named", "file-cache.ts", ["write/blob-writer.ts", "read/blob-opener.ts"]],
  ["packages/layout", "and are where they were wanted", "oci/layout-destination.ts", ["disk/atomic-write.ts"]],
];

const sources = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", "packages/*/src/*", "apps/*/src/*"],
  {
    encoding: "utf8",
  },
)
  .split("\n")
  // The private testbed is used by tests and benchmarks only.
  .filter((file) => file.endsWith(".ts") && !/\.test\.ts$|^packages\/testbed\//.test(file) && existsSync(file));

/** File → the files of the repository that it imports; another package stands for its index. */
const imports = new Map(sources.map((file) => [file, importsOf(file)]));

function importsOf(file) {
  const specifiers = readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g);
  return [...specifiers].flatMap(([, specifier]) => {
    if (specifier.startsWith(".")) return [posix.join(posix.dirname(file), specifier).replace(/\.js$/, ".ts")];
    return specifier.startsWith("@mote/") && specifier !== "@mote/testbed"
      ? [`packages/${specifier.slice("@mote/".length)}/src/index.ts`]
      : [];
  });
}

const packageOf = (file) => file.split("/").slice(0, 2).join("/");

function packagesPicture() {
  const uses = new Map();
  for (const [file, targets] of imports) {
    const from = packageOf(file);
    const set = uses.get(from) ?? new Set();
    uses.set(from, set);
    for (const target of targets) if (packageOf(target) !== from) set.add(packageOf(target));
  }
  const levels = new Map();
  const levelOf = (name) => {
    if (!levels.has(name)) levels.set(name, 1 + Math.max(-1, ...[...(uses.get(name) ?? [])].map(levelOf)));
    return levels.get(name);
  };
  for (const name of uses.keys()) levelOf(name);
  const rows = Array.from({ length: 1 + Math.max(...levels.values()) }, () => []);
  for (const [name, level] of [...levels].sort()) rows[level].push(name);
  rows.reverse();

  const box = { width: 164, height: 44, gapX: 18, gapY: 70 };
  const columns = Math.max(...rows.map((row) => row.length));
  const width = columns * (box.width + box.gapX) + box.gapX;
  const height = rows.length * (box.height + box.gapY) + 10;
  const at = new Map();
  for (const [line, row] of rows.entries()) {
    const indent = (width - row.length * (box.width + box.gapX) + box.gapX) / 2;
    for (const [index, name] of row.entries())
      at.set(name, { x: indent + index * (box.width + box.gapX), y: 20 + line * (box.height + box.gapY) });
  }
  const arrows = [...uses].sort().flatMap(([from, targets]) =>
    [...targets]
      .sort()
      .filter((to) => !reachedOtherwise(uses, from, to))
      .map((to) => {
        const a = at.get(from);
        const b = at.get(to);
        const [x1, y1, x2, y2] = [a.x + box.width / 2, a.y + box.height, b.x + box.width / 2, b.y - 3];
        return `<path d="M${x1} ${y1} C${x1} ${y1 + 36} ${x2} ${y2 - 36} ${x2} ${y2}" class="arrow"/>`;
      }),
  );
  const boxes = [...at].map(([name, { x, y }]) =>
    [
      `<rect x="${x}" y="${y}" width="${box.width}" height="${box.height}" rx="6" class="${name.startsWith("apps/") ? "app" : "box"}"/>`,
      `<text x="${x + box.width / 2}" y="${y + box.height / 2 + 5}" class="name">${name.replace("packages/", "@mote/")}</text>`,
    ].join("\n"),
  );
  return svg(width, height, "The packages; an arrow means: imports, directly or through what it points to", [
    ...arrows,
    ...boxes,
  ]);
}

/** Whether another import already leads there: such an arrow would only hide the others. */
function reachedOtherwise(uses, from, to) {
  const seen = new Set();
  const reaches = (name) => {
    if (name === to) return true;
    if (seen.has(name)) return false;
    seen.add(name);
    return [...(uses.get(name) ?? [])].some(reaches);
  };
  return [...uses.get(from)].some((name) => name !== to && reaches(name));
}

/** The files on the shortest way of imports from one to the other. */
function way(from, to) {
  const before = new Map([[from, undefined]]);
  const queue = [from];
  for (const file of queue) {
    if (file === to) break;
    for (const next of imports.get(file) ?? []) {
      if (before.has(next) || packageOf(next) !== packageOf(from)) continue;
      before.set(next, file);
      queue.push(next);
    }
  }
  if (!before.has(to))
    throw new Error(`no way of imports leads from ${from} to ${to}: correct the legs in .ci/draw-architecture.mjs`);
  const files = [];
  for (let file = to; file !== undefined; file = before.get(file)) files.unshift(file);
  return files;
}

function bytePicture() {
  const row = { height: 92, top: 30 };
  const left = 250;
  const parts = [];
  let width = 0;
  let y = row.top;
  for (const [index, [folder, says, entry, ends]] of legs.entries()) {
    const ways = ends.map((end) => way(`${folder}/src/${entry}`, `${folder}/src/${end}`));
    const height = row.height + (ways.length - 1) * 46;
    parts.push(
      `<text x="20" y="${y + 22}" class="left">${folder.replace("packages/", "@mote/")}</text>`,
      `<text x="20" y="${y + 40}" class="left note">${says}</text>`,
    );
    for (const [line, files] of ways.entries()) {
      let x = left;
      for (const [step, file] of files.entries()) {
        const name = file.slice(`${folder}/src/`.length);
        const boxWidth = name.length * 7.4 + 20;
        if (line === 0 || step > 0) {
          parts.push(
            `<rect x="${x}" y="${y + line * 46}" width="${boxWidth}" height="32" rx="6" class="${step === 0 || step === files.length - 1 ? "box" : "between"}"/>`,
            `<text x="${x + boxWidth / 2}" y="${y + line * 46 + 21}" class="file">${name}</text>`,
          );
        }
        if (step > 0) {
          const dy = line > 0 && step === 1 ? -line * 46 : 0;
          parts.push(`<path d="M${x - 26} ${y + line * 46 + 16 + dy} L${x - 4} ${y + line * 46 + 16}" class="arrow"/>`);
        }
        x += boxWidth + 30;
      }
      width = Math.max(width, x);
    }
    if (index < legs.length - 1)
      parts.push(`<path d="M${left + 30} ${y + 34} L${left + 30} ${y + height - 6}" class="arrow dashed"/>`);
    y += height;
  }
  return svg(
    width,
    y,
    "The path of a byte in `mote pull`: solid arrows are imports; dashed ones go through the contracts of @mote/core",
    parts,
  );
}

/** Where the bytes of the layers come from in `mote pull NEW` with a delta: as `mote delta` reported it for the example in the how-to. */
const update = [
  ["shared layer", 315, [["the old image has it", 315, "between"]]],
  [
    "changed layer",
    368,
    [
      ["made from files of the old image", 367.8, "box"],
      ["fetched: 180 B", 0.2, "app"],
    ],
  ],
  ["recompressed layer", 263, [["compressed again from the old image", 263, "box"]]],
];

function deltaPicture() {
  const [left, top, line, perKilobyte] = [170, 30, 62, 1.5];
  const parts = update.flatMap(([name, size, shares], index) => {
    const y = top + index * line;
    let x = left;
    const bars = shares.flatMap(([text, bytes, kind]) => {
      const [from, width] = [x, Math.max(4, bytes * perKilobyte)];
      x += width;
      const isNarrow = width < 100;
      const label = isNarrow
        ? `<text x="${x + 8}" y="${y + 22}" class="left note">${text}</text>`
        : `<text x="${from + width / 2}" y="${y + 22}" class="note">${text}</text>`;
      return [`<rect x="${from}" y="${y}" width="${width}" height="34" class="${kind}"/>`, label];
    });
    return [
      `<text x="20" y="${y + 15}" class="left">${name}</text>`,
      `<text x="20" y="${y + 31}" class="left note">${size} kB compressed</text>`,
      ...bars,
    ];
  });
  return svg(
    left + 368 * perKilobyte + 130,
    top + update.length * line,
    "Where the bytes of an update come from: each layer ends under its original digest",
    parts,
  );
}

function svg(width, height, title, parts) {
  const escaped = title.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height + 24)}" role="img" aria-label="${escaped}">
<title>${escaped}</title>
<style>
text { font: 13px ui-sans-serif, system-ui, sans-serif; text-anchor: middle; fill: #1c2733 }
.left { text-anchor: start } .name { font-weight: 600 } .note { font-size: 11px; fill: #5a6876 } .file { font-family: ui-monospace, monospace; font-size: 12px }
.box { fill: #e8f0fb; stroke: #3d6fb4 } .app { fill: #fdf1dc; stroke: #b8862d } .between { fill: #fff; stroke: #b7c2ce }
.arrow { fill: none; stroke: #7a8896; marker-end: url(#head) } .dashed { stroke-dasharray: 4 3 }
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#7a8896"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>
${parts.join("\n")}
<text x="20" y="${Math.ceil(height + 12)}" class="left note">${escaped}</text>
</svg>
`;
}

const check = process.argv.includes("--check");
for (const [path, text] of [
  ["docs/pictures/packages.svg", packagesPicture()],
  ["docs/pictures/path-of-a-byte.svg", bytePicture()],
  ["docs/pictures/delta.svg", deltaPicture()],
]) {
  if (check && (!existsSync(path) || readFileSync(path, "utf8") !== text)) {
    console.error(`${path} is not current: run pnpm docs:pictures`);
    process.exitCode = 1;
  } else if (!check) writeFileSync(path, text);
}
