import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { goAssets } from "../src/go-assets.js";

// Building takes half a minute, and fetches a version of Go.
it.skipIf(process.env.MOTE_BUILD_GO === undefined)(
  "the WebAssembly is what its sources build (SKIPPED without MOTE_BUILD_GO=1 and Go)",
  () => {
    const build = fileURLToPath(new URL("../go/build.mjs", import.meta.url));
    const printed = execFileSync(process.execPath, [build, "--check"], { encoding: "utf8" });
    expect(printed.trim().split("\n")).toEqual(goAssets.map(({ file, sha256 }) => `${file} ${sha256}`));
  },
  600_000,
);
