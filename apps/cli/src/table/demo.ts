import { command } from "../input/command.js";

export const demo = command({
  name: "demo",
  group: "Setup",
  summary: "Pull a sample image from a local registry, cold and warm",
  options: {
    dir: {
      value: "DIR",
      summary: "the working directory (default a new temporary directory)",
      completes: "folder",
    },
  },
  examples: [
    { line: "mote demo", does: "Run in a temporary directory" },
    { line: "mote demo --dir /tmp/mote-demo", does: "Run in this directory and keep the files" },
  ],
  run: async (context, _values, options) => (await import("../commands/demo.js")).demo(context, options),
});
