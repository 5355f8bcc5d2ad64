import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uncompressedBlob } from "@mote/layout";
import { needs } from "@mote/testbed";
import { describe, expect, it } from "vitest";
import { applyTarDiff, makeTarDiff, OldFiles } from "../src/index.js";
import { sampleContent } from "./sample-content.js";
import { inChunks, joined, tarBytes } from "./tar-bytes.js";

const before = sampleContent(3_000_000);
const after = Buffer.concat([before.subarray(500_000), Buffer.from("new"), before.subarray(0, 700_000)]);
for (let at = 0; at < after.byteLength; at += 777) after[at] = (after[at] ?? 0) + 3;
const oldTar = tarBytes([{ path: "usr/file", content: before }]);
const newTar = tarBytes([
  { path: "usr/file", content: after },
  { path: "usr/copy", content: before },
]);

interface Setting {
  readonly dir: string;
  readonly old: OldFiles;
}

async function withOld(test: (setting: Setting) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "mote-tar-diff-"));
  try {
    await mkdir(join(dir, "root", "usr"), { recursive: true });
    await writeFile(join(dir, "root", "usr", "file"), before);
    await writeFile(join(dir, "old.tar"), oldTar);
    await writeFile(join(dir, "new.tar"), newTar);
    await using old = await OldFiles.open([() => inChunks(oldTar)], { dir });
    await test({ dir, old });
  } finally {
    await rm(dir, { recursive: true });
  }
}

describe("containers/tar-diff", () => {
  it.skipIf(needs("tar-patch"))(`applies our diffs${needs("tar-patch")}`, () =>
    withOld(async ({ dir, old }) => {
      const diff = await joined(makeTarDiff(() => inChunks(newTar), old));
      expect(diff.byteLength).toBeLessThan(before.byteLength / 10);
      await writeFile(join(dir, "diff"), diff);
      execFileSync("tar-patch", [join(dir, "diff"), join(dir, "root"), join(dir, "made.tar")]);
      expect((await readFile(join(dir, "made.tar"))).equals(newTar)).toBe(true);
    }),
  );

  it.skipIf(needs("tar-diff"))(`makes diffs that we apply${needs("tar-diff")}`, () =>
    withOld(async ({ dir, old }) => {
      execFileSync("tar-diff", [join(dir, "old.tar"), join(dir, "new.tar"), join(dir, "diff")]);
      const diff = await readFile(join(dir, "diff"));
      expect(diff.byteLength).toBeLessThan(before.byteLength / 10);
      const uncompress = (zstd: AsyncIterable<Uint8Array>) => uncompressedBlob(zstd, "the diff");
      const applying = applyTarDiff(inChunks(diff), old, { maxBytes: newTar.byteLength, uncompress });
      expect((await joined(applying)).equals(newTar)).toBe(true);
    }),
  );
});
