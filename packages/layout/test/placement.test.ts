import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { GuardedFolder } from "./guarded-folder.js";
import { location, type Placement, placements } from "./placement-workload.js";

// Few runs in CI. `PLACEMENT_RUNS=100000` asks for more, and `SEED` repeats them.
const numRuns = Number(process.env.PLACEMENT_RUNS ?? 400);
const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
const minuteMs = 60_000;

let folder: GuardedFolder;
beforeEach(() => {
  folder = new GuardedFolder(existsSync("/dev/shm") ? "/dev/shm" : tmpdir());
});
afterEach(() => folder.remove());

it(
  "no pulled artifact writes, links or reads outside the directory",
  async () => {
    const counts: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(placements, async (placement: Placement) => {
        const { faults, codes } = await location(placement, folder);
        for (const code of codes) counts[code ?? "done"] = (counts[code ?? "done"] ?? 0) + 1;
        expect(faults).toEqual([]);
      }),
      { numRuns, seed },
    );
    if (numRuns > 1000) console.log({ numRuns, seed }, counts);
    // Otherwise the test shows little, because a rejected artifact cannot do harm.
    expect(counts.done).toBeGreaterThan(numRuns / 5);
    const known = ["done", "MOTE_EXISTS", "MOTE_INVALID_ARCHIVE", "MOTE_INVALID_NAME"];
    expect(Object.keys(counts).filter((code) => !known.includes(code))).toEqual([]);
  },
  Math.max(numRuns, 400) * 500 + minuteMs,
);
