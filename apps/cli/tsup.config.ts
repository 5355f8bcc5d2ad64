import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { defineConfig, type Options } from "tsup";

/** Returns the path of a module that a package depends on. */
const moduleOf = (module: string, name: string) =>
  createRequire(new URL(`../../packages/${name}/package.json`, import.meta.url)).resolve(module);
const { version } = JSON.parse(readFileSync("package.json", "utf8"));

type Plugin = NonNullable<Options["esbuildPlugins"]>[number];

/** Files of their own: they are large, and loaded only where a proxy is set, for `/metrics`, and for a Redis. */
const apart: Plugin = {
  name: "apart",
  setup(build) {
    build.onResolve({ filter: /^(undici|prom-client|ioredis)$/ }, ({ path }) => ({
      path: `./${path}.cjs`,
      external: true,
    }));
  },
};

/** lmdb's own script goes into the bundle. Its binary stays where npm has put it, and is looked for from there. */
const lmdbScript: Plugin = {
  name: "lmdb-script",
  setup(build) {
    // All our values are bytes, which lmdb stores without an encoder.
    build.onResolve({ filter: /^msgpackr$/ }, () => ({ path: "encoder", namespace: "lmdb" }));
    build.onLoad({ filter: /^encoder$/, namespace: "lmdb" }, () => ({
      contents: `export class Encoder {
        constructor() {
          throw new Error("the command has no encoder for lmdb");
        }
      }`,
    }));
    build.onResolve({ filter: /^node-gyp-build-optional-packages$/ }, ({ namespace, resolveDir }) =>
      namespace === "lmdb" ? undefined : { path: "lmdb-binary", namespace: "lmdb", pluginData: resolveDir },
    );
    build.onLoad({ filter: /^lmdb-binary$/, namespace: "lmdb" }, ({ pluginData }) => ({
      resolveDir: pluginData,
      contents: `
        const load = require("node-gyp-build-optional-packages");
        const { existsSync, realpathSync } = require("node:fs");
        const { dirname, join } = require("node:path");
        // require.resolve reads "exports", for which Node loads much more first.
        const folders = () => (require.resolve.paths("lmdb") ?? []).map((folder) => join(folder, "lmdb"));
        const find = () => folders().find((folder) => existsSync(join(folder, "package.json")));
        module.exports = () => {
          const found = find();
          return load(found === undefined ? dirname(dirname(require.resolve("lmdb"))) : realpathSync(found));
        };`,
    }));
    build.onResolve({ filter: /^detect-libc$/ }, ({ namespace, resolveDir }) =>
      namespace === "lmdb" ? undefined : { path: "c-library", namespace: "lmdb", pluginData: resolveDir },
    );
    // The name of the loader is near the beginning of Node's own binary. detect-libc also finds it, but loads much more first.
    build.onLoad({ filter: /^c-library$/, namespace: "lmdb" }, ({ pluginData }) => ({
      resolveDir: pluginData,
      contents: `
        const fs = require("node:fs");
        exports.MUSL = "musl";
        exports.familySync = () => {
          const start = Buffer.alloc(4096);
          const fd = fs.openSync(process.execPath, "r");
          try {
            fs.readSync(fd, start);
          } finally {
            fs.closeSync(fd);
          }
          if (start.includes("/ld-musl-")) return exports.MUSL;
          return start.includes("/ld-linux") ? "glibc" : require("detect-libc").familySync();
        };`,
    }));
  },
};

/**
 * Node's modules, each imported once. Otherwise esbuild makes an object with a getter for every export of such a module in each file that
 * imports it by default, which takes longer than the rest of the start of that file.
 */
const nodeModules: Plugin = {
  name: "node-modules",
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path, kind, namespace }) =>
      kind === "import-statement" && namespace !== "node" ? { path, namespace: "node" } : { path, external: true },
    );
    build.onLoad({ filter: /^/, namespace: "node" }, ({ path }) => {
      const names = Object.keys(createRequire(import.meta.url)(path)).filter((name) => name !== "default");
      return {
        contents: [
          `const all = require("${path}");`,
          "export default all;",
          // Unused ones are left out: a few load another module, or warn, when they are read.
          ...names.map((name) => `export const ${name} = /* @__PURE__ */ (() => all.${name})();`),
        ].join("\n"),
      };
    });
  },
};

/** What `import.meta.url` is in a module, and `performance.now`, for which Node would load ten modules. */
const banner = [
  'const fileUrl = require("node:url").pathToFileURL(__filename).href;',
  "const uptimeMs = () => process.uptime() * 1000;",
].join("\n");

const common = {
  format: "cjs",
  target: "node20",
  platform: "node",
  sourcemap: false,
  minify: true,
  removeNodeProtocol: false,
  noExternal: [/.*/],
  define: { MOTE_VERSION: JSON.stringify(version), "import.meta.url": "fileUrl", "performance.now": "uptimeMs" },
  // From the packages' sources: the command is built without building them first.
  esbuildOptions(options) {
    options.conditions = ["@mote/source"];
    // For jsonc-parser, whose other form cannot be bundled.
    options.mainFields = ["module", "main"];
    // A text of one byte for each character takes the engine half as long to read.
    options.charset = "ascii";
    // The engine's cache knows no modules, and Node starts a script sooner than a module.
    options.supported = { ...options.supported, "dynamic-import": false };
  },
} satisfies Options;

/** One file of everything, as the engine's cache wants it (src/compiled.ts), and a small one that runs it. */
export default defineConfig([
  {
    ...common,
    entry: { mote: "src/start.ts" },
    esbuildPlugins: [apart, lmdbScript, nodeModules],
    banner: { js: banner },
  },
  {
    ...common,
    banner: { js: banner },
    entry: {
      undici: moduleOf("undici", "registry"),
      "prom-client": moduleOf("prom-client", "server"),
      ioredis: moduleOf("ioredis", "bic-redis"),
    },
  },
  {
    ...common,
    entry: ["src/main.ts"],
    outExtension: () => ({ js: ".js" }),
    banner: { js: `#!/usr/bin/env node\n${banner}` },
    async onSuccess() {
      writeFileSync("dist/package.json", '{ "type": "commonjs" }\n');
      // Beside dist, where the code of @mote/delta looks for them.
      cpSync(new URL("../../packages/delta/assets", import.meta.url), "assets", { recursive: true });
    },
  },
]);
