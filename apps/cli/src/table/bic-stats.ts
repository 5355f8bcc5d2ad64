import { command } from "../input/command.js";

export const bicStats = command({
  name: "bic stats",
  group: "Look",
  summary: "how much is known of blobs",
  examples: [
    { line: "mote bic stats", does: "numbers of places, forms and bytes" },
    { line: "mote bic stats --json | jq .locations", does: "one of them, for a script" },
  ],
  run: async (context) => (await import("../commands/bic.js")).showStatistics(context),
});
