import { command } from "../command.js";

export const du = command({
  name: "du",
  group: "Look",
  summary: "how much is kept",
  examples: [
    { line: "mote du", does: "what the cache takes" },
    { line: "mote du --json", does: "the same in bytes, for a script" },
  ],
  run: async (context) => (await import("../commands/du.js")).du(context),
});
