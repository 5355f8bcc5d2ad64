import { hash } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import { FileCache } from "@mote/fs";
import type { Row } from "./compare.js";
import { inFreshProcess, type Measured } from "./fresh-process.js";

const count = 1_000_000;
const content = "ten bytes.";

/** Prunes a million blobs to half, each time in a new process. */
export async function* pruneSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  const root = join(folder, "cache");
  const blobs = join(root, "blobs/sha256");
  const bare = join(folder, "bare");
  await using cache = new FileCache(root);
  await cache.initialize();
  fs.mkdirSync(bare);
  const runs: Measured[] = [];
  yield {
    title: "prune a million blobs to half",
    unit: "blobs",
    amount: count,
    goalTime: 1.15,
    mostPairs: 3,
    mote: {
      name: "mote",
      prepare: () => fillUp(blobs),
      run: async () => void runs.push(await inFreshProcess("prune", root, String((count / 2) * content.length))),
    },
    peer: {
      name: "readdir, stat, unlink",
      prepare: () => fillUp(bare),
      run: async () => void (await inFreshProcess("prune-bare", bare, String(count / 2))),
    },
  };
  yield { title: "more memory while it prunes", unit: "MB", atMost: 150, measure: eachOf(runs, "megabytes") };
  yield { title: "longest stall while it prunes", unit: "ms", atMost: 50, measure: eachOf(runs, "longestStallMs") };
}

/** Returns the results of all runs, including the warm-up. */
export function eachOf(runs: readonly Measured[], what: keyof Measured): () => Promise<number> {
  let next = 0;
  return async () => runs[next++ % runs.length]?.[what] ?? Number.NaN;
}

/** Creates the files that the last run removed. The others keep their access times. */
function fillUp(folder: string): void {
  for (let n = 0; n < count; n++) {
    const path = `${folder}/${hash("sha256", String(n))}`;
    if (fs.existsSync(path)) continue;
    fs.writeFileSync(path, content);
    fs.utimesSync(path, 1.6e9 + ((n * 7919) % count), 1.6e9);
  }
}
