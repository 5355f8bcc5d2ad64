import { readFileSync } from "node:fs";
import { defineConfig } from "tsup";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));

/** One bundle, split where a command is imported on demand: starting fast matters more than anything else here. */
export default defineConfig({
  entry: ["src/main.ts"],
  format: "esm",
  target: "node20",
  platform: "node",
  splitting: true,
  sourcemap: false,
  clean: true,
  treeshake: true,
  removeNodeProtocol: false,
  define: { MOTE_VERSION: JSON.stringify(version) },
  noExternal: [/^(?!lmdb$)/],
  external: ["lmdb"],
  // From the packages' sources: the command is built without building them first.
  esbuildOptions(options) {
    options.conditions = ["@mote/source"];
    // For jsonc-parser, whose other form cannot be bundled.
    options.mainFields = ["module", "main"];
  },
  banner: {
    js: '#!/usr/bin/env node\nimport { createRequire as moteCreateRequire } from "node:module"; const require = moteCreateRequire(import.meta.url);',
  },
});
