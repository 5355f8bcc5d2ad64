import shared from "../../tsup.config.js";

/** From the packages' sources: most of what is fuzzed is not exported. */
export default {
  ...shared,
  entry: ["src/main.ts", "src/worker.ts"],
  noExternal: [/^@mote\//],
  esbuildOptions(options: { conditions?: string[] }) {
    options.conditions = ["@mote/source"];
  },
};
