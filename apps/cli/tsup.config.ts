import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { defineConfig, type Options } from "tsup";

const registry = createRequire(new URL("../../packages/registry/package.json", import.meta.url));
const { version } = JSON.parse(readFileSync("package.json", "utf8"));

type Plugin = NonNullable<Options["esbuildPlugins"]>[number];

/** Loaded only where a proxy is set, and larger than all the rest: a file of its own. */
const undiciApart: Plugin = {
  name: "undici-apart",
  setup(build) {
    build.onResolve({ filter: /^undici$/ }, () => ({ path: "./undici.cjs", external: true }));
  },
};

/** lmdb's own script goes into the bundle. Its binary stays where npm has put it, and is looked for from there. */
const lmdbScript: Plugin = {
  name: "lmdb-script",
  setup(build) {
    // Without its binary: nothing is encoded by it here.
    build.onResolve({ filter: /^msgpackr$/ }, ({ importer, resolveDir }) =>
      importer.includes("lmdb")
        ? build.resolve("msgpackr/index-no-eval", { resolveDir, kind: "import-statement" })
        : undefined,
    );
    build.onResolve({ filter: /^node-gyp-build-optional-packages$/ }, () => ({
      path: "lmdb-binary",
      namespace: "lmdb",
    }));
    build.onLoad({ filter: /.*/, namespace: "lmdb" }, () => ({
      contents: `
        const { createRequire } = require("node:module");
        const { dirname } = require("node:path");
        module.exports = () => {
          const script = require.resolve("lmdb");
          return createRequire(script)("node-gyp-build-optional-packages")(dirname(dirname(script)));
        };`,
    }));
  },
};

const common = {
  target: "node20",
  platform: "node",
  sourcemap: false,
  removeNodeProtocol: false,
  define: { MOTE_VERSION: JSON.stringify(version) },
  // From the packages' sources: the command is built without building them first.
  esbuildOptions(options) {
    options.conditions = ["@mote/source"];
    // For jsonc-parser, whose other form cannot be bundled.
    options.mainFields = ["module", "main"];
    options.minifyWhitespace = true;
    options.minifyIdentifiers = true;
    options.minifySyntax = true;
    // A text of one byte for each character takes the engine half as long to read.
    options.charset = "ascii";
    // The engine's cache knows no modules.
    if (options.format === "cjs") options.supported = { ...options.supported, "dynamic-import": false };
  },
} satisfies Options;

/** One file of everything, as the engine's cache wants it (src/compiled.ts), and a small one that runs it. */
export default defineConfig([
  {
    ...common,
    entry: { mote: "src/start.ts" },
    format: "cjs",
    noExternal: [/.*/],
    esbuildPlugins: [undiciApart, lmdbScript],
    define: { ...common.define, "import.meta.url": "moteUrl" },
    footer: { js: "})" },
    banner: {
      js: '(function (exports, require, module, __filename, __dirname) { const moteUrl = require("node:url").pathToFileURL(__filename).href;',
    },
  },
  { ...common, entry: { undici: registry.resolve("undici") }, format: "cjs", noExternal: [/.*/] },
  { ...common, entry: ["src/main.ts"], format: "esm", banner: { js: "#!/usr/bin/env node" } },
]);
