import shared from "../../tsup.config.js";

/** From the packages' sources: most of what is fuzzed is not exported. */
export default {
  ...shared,
  entry: ["src/main.ts", "src/worker.ts"],
  noExternal: [/.*/],
  // Some of what goes into the bundle is CommonJS.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  esbuildOptions(options: { conditions?: string[] }) {
    options.conditions = ["@mote/source"];
  },
};
