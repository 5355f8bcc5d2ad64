import { command } from "../command.js";

export const prune = command({
  name: "prune",
  group: "Keep",
  summary: "remove what was least recently used",
  options: {
    "max-size": { value: "SIZE", summary: "until this much is left, such as 10GB" },
    "older-than": { value: "TIME", summary: "what was not used for this long, such as 30d" },
    "dry-run": { summary: "say what would go; remove nothing" },
  },
  examples: [
    { line: "mote prune --max-size 10GB", does: "the least recently used goes, until 10 GB are left" },
    { line: "mote prune --older-than 30d --dry-run", does: "what nobody used for a month, without removing it" },
  ],
  afterInterrupt: "what was removed so far is gone, the rest is whole",
  run: async (context, _values, options) => (await import("../commands/prune.js")).prune(context, options),
});
