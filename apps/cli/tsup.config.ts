import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "tsup";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const sources = join(import.meta.dirname, "src");

const commands = readdirSync(join(sources, "commands"))
  .map((file) => file.replace(/\.ts$/, ""))
  .filter((name) => !name.includes("."));

/**
 * Each file that Node loads costs more than the bytes in it, and code splitting makes a file of every set of modules that some
 * commands share. So the commands are loaded together, and of core all or nothing.
 */
const fewFiles = {
  name: "few-files",
  setup(build) {
    build.onResolve({ filter: /\/commands\/[a-z-]+\.js$/ }, ({ kind }) =>
      kind === "dynamic-import" ? { path: "commands", namespace: "commands" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "commands" }, () => ({
      contents: commands.map((name) => `export * from "./commands/${name}.js";`).join("\n"),
      resolveDir: sources,
    }));
    build.onResolve({ filter: /^(@mote\/core|\.\/.*)$/ }, async ({ path, importer, pluginData, ...options }) => {
      const isCore = path === "@mote/core" || importer.includes("/packages/core/src/");
      if (!isCore || pluginData === "seen") return undefined;
      const resolved = await build.resolve(path, { importer, ...options, pluginData: "seen" });
      return { ...resolved, sideEffects: true };
    });
  },
};

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
  esbuildPlugins: [fewFiles],
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
