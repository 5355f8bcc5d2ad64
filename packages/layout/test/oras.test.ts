import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { needs } from "@mote/testbed";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FilesDestination, FilesSource, LayoutDestination, LayoutSource } from "../src/index.js";
import { carry, makeTree, readTree, type Tree } from "./file-trees.js";

const run = promisify(execFile);
const missing = needs("oras");

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-oras-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const tree: Tree = {
  "data/a": { file: "one" },
  "data/empty": { folder: true },
  "data/link": { link: "a" },
  "data/run": { program: "two" },
  [`data/${"長".repeat(60)}/b`]: { file: "three" },
  "model.bin": { file: "weights" },
  nothing: { file: "" },
};
const titles = ["model.bin", "nothing", "data"];

it.skipIf(missing !== "")(`oras restores the files that were packed here${missing}`, async () => {
  makeTree(join(dir, "from"), tree);
  await using source = new FilesSource(titles.map((title) => ({ path: join(dir, "from", title), title })));
  await using layout = new LayoutDestination(join(dir, "layout"));
  await carry(source, layout);
  mkdirSync(join(dir, "into"));
  await run("oras", ["pull", "--oci-layout", `${join(dir, "layout")}:1`], { cwd: join(dir, "into") });
  expect(readTree(join(dir, "into"))).toEqual(tree);
});

it.skipIf(missing !== "")(`files that oras packed are restored here, also those of a directory${missing}`, async () => {
  makeTree(join(dir, "from"), tree);
  for (const [tag, packed] of [
    ["some", titles],
    ["all", ["."]],
  ] as const) {
    const target = `${join(dir, "layout")}:${tag}`;
    await run("oras", ["push", "--oci-layout", target, ...packed], { cwd: join(dir, "from") });
    const content = new LayoutSource(join(dir, "layout"));
    const destination = new FilesDestination(join(dir, tag));
    await carry(
      {
        resolve: () => content.resolve(tag),
        manifest: (descriptor) => content.manifest(descriptor),
        blob: (descriptor) => content.blob(descriptor),
      },
      destination,
    );
    await destination[Symbol.asyncDispose]();
    expect(readTree(join(dir, tag))).toEqual(tree);
  }
});
