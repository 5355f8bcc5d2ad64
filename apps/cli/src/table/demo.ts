import { command } from "../input/command.js";

export const demo = command({
  name: "demo",
  group: "Set up",
  summary: "see it work: serve real files on loopback, pull them cold and warm",
  options: {
    dir: {
      value: "DIR",
      summary: "a new folder to work in; default: one in the system's temporary folder",
      completes: "folder",
    },
  },
  examples: [
    { line: "mote demo", does: "in the system's temporary folder" },
    { line: "mote demo --dir /tmp/mote-demo", does: "in a folder to look around in afterwards" },
  ],
  run: async (context, _values, options) => (await import("../commands/demo.js")).demo(context, options),
});
