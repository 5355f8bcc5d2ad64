import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { makeTarDiff, OldFiles } from "../src/index.js";
import { sampleContent } from "./sample-content.js";
import { inChunks, joined, tarBytes } from "./tar-bytes.js";

// Building takes a minute, and fetches modules of Go.
it.skipIf(process.env.MOTE_BUILD_GO === undefined)(
  "containers/tar-diff applies our tar-diffs (SKIPPED without MOTE_BUILD_GO=1 and Go)",
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "mote-tar-patch-"));
    try {
      const before = sampleContent(3_000_000);
      const after = Buffer.concat([before.subarray(500_000), Buffer.from("new"), before.subarray(0, 700_000)]);
      for (let at = 0; at < after.byteLength; at += 777) after[at] = (after[at] ?? 0) + 3;
      await mkdir(join(dir, "root", "usr"), { recursive: true });
      await writeFile(join(dir, "root", "usr", "file"), before);
      const oldTar = tarBytes([{ path: "usr/file", content: before }]);
      const tar = tarBytes([
        { path: "usr/file", content: after },
        { path: "usr/copy", content: before },
      ]);
      await using old = await OldFiles.open([() => inChunks(oldTar)], { dir });
      const diff = await joined(makeTarDiff(() => inChunks(tar), old));
      expect(diff.byteLength).toBeLessThan(before.byteLength / 10);
      await writeFile(join(dir, "diff"), diff);
      const made = execFileSync("go", ["run", ".", join(dir, "diff"), join(dir, "root")], {
        cwd: fileURLToPath(new URL("tar-patch", import.meta.url)),
        maxBuffer: 2 * tar.byteLength,
      });
      expect(made.equals(tar)).toBe(true);
    } finally {
      await rm(dir, { recursive: true });
    }
  },
  600_000,
);
