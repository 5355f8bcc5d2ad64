import { command } from "../input/command.js";

export const bicStats = command({
  name: "bic stats",
  group: "Inspect",
  summary: "Show statistics of the blob-info cache",
  examples: [
    { line: "mote bic stats", does: "Show the number of records and the size on disk" },
    { line: "mote bic stats --json | jq .locations", does: "Print the number of known locations" },
  ],
  run: async (context) => (await import("../commands/bic.js")).showStatistics(context),
});
