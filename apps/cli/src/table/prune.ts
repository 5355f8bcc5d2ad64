import { command } from "../input/command.js";

export const prune = command({
  name: "prune",
  group: "Keep",
  summary: "remove what was least recently used",
  description: [
    "Shows what is to go and why, and at a terminal asks before it goes. Images go as a whole, the longest unused first; what another image needs too stays. What is pinned stays. Damaged files that were set aside go first, unless they are newer than --keep-newer-than.",
  ],
  options: {
    "max-size": { value: "SIZE", summary: "until this much is left, such as 10GB" },
    "older-than": { value: "TIME", summary: "what was not used for this long, such as 30d" },
    "keep-newer-than": {
      value: "TIME",
      summary: "nothing that was used within this time, though the cache stays larger",
    },
    "dry-run": { summary: "say what would go; remove nothing" },
    yes: { short: "y", summary: "do not ask" },
  },
  examples: [
    { line: "mote prune --max-size 10GB", does: "the least recently used goes, until 10 GB are left" },
    { line: "mote prune --older-than 30d --dry-run", does: "what nobody used for a month, without removing it" },
    { line: "mote prune --max-size 5GiB --keep-newer-than 2h", does: "in CI: what the last jobs have used stays" },
  ],
  afterInterrupt: "what was removed so far is gone, the rest is whole",
  run: async (context, _values, options) => (await import("../commands/prune.js")).prune(context, options),
});
