// Builds the WebAssembly of the encoders. Usage: node build.mjs [--check]. Needs Go 1.26.8, which fetches Go 1.27.3 for the second one.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";

const builds = [
  { toolchain: "go1.26.8", modfile: "go.mod", asset: "encoders-go1.26.wasm.br" },
  { toolchain: "go1.27.3", modfile: "newest.mod", asset: "encoders-go1.27.wasm.br" },
];
const isCheck = process.argv.includes("--check");
const dir = mkdtempSync(join(tmpdir(), "mote-encoders-"));

function build({ toolchain, modfile }) {
  const output = join(dir, `${toolchain}.wasm`);
  // Without paths and build ids, equal sources make equal bytes on every machine.
  const flags = ["-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="];
  const { status, stderr, error } = spawnSync("go", ["build", ...flags, `-modfile=${modfile}`, "-o", output, "."], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    env: { ...process.env, GOTOOLCHAIN: toolchain, GOOS: "wasip1", GOARCH: "wasm", GOFLAGS: "-mod=readonly" },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`cannot build with ${toolchain}: ${error?.message ?? stderr}`);
  return readFileSync(output);
}

try {
  for (const each of builds) {
    const wasm = build(each);
    const path = new URL(`../assets/${each.asset}`, import.meta.url);
    const sha256 = createHash("sha256").update(wasm).digest("hex");
    if (isCheck) {
      if (!brotliDecompressSync(readFileSync(path)).equals(wasm))
        throw new Error(`${each.asset} differs from its source`);
    } else {
      // Decompression needs a block of memory as large as the window. A larger one saves 1 %, and costs much memory: see src/go-assets.ts.
      const params = { [constants.BROTLI_PARAM_SIZE_HINT]: wasm.byteLength, [constants.BROTLI_PARAM_LGWIN]: 20 };
      writeFileSync(path, brotliCompressSync(wasm, { params }));
    }
    console.log(`${each.asset} ${sha256}`);
  }
} finally {
  rmSync(dir, { recursive: true });
}
