import { command } from "../input/command.js";

export const prune = command({
  name: "prune",
  group: "Manage",
  summary: "Remove least recently used images and motes",
  description: [
    "Lists what will be removed and why, and on a terminal asks for confirmation. Images are removed as a whole, the least recently used first. Content that another image needs and pinned content are never removed. Quarantined files are removed first, unless they are newer than --keep-newer-than.",
  ],
  options: {
    "max-size": { value: "SIZE", summary: "remove content until the cache is at most this large, such as 10GB" },
    "older-than": { value: "TIME", summary: "remove content unused for this long, such as 30d" },
    "keep-newer-than": {
      value: "TIME",
      summary: "never remove content used within TIME, even if the cache stays above --max-size",
    },
    "dry-run": { summary: "show what would be removed, but remove nothing" },
    yes: { short: "y", summary: "do not ask for confirmation" },
  },
  examples: [
    { line: "mote prune --max-size 10GB", does: "Reduce the cache to 10 GB" },
    { line: "mote prune --older-than 30d --dry-run", does: "Show what has not been used for 30 days" },
    { line: "mote prune --max-size 5GiB --keep-newer-than 2h", does: "Keep what the latest CI jobs used" },
    { line: "mote prune --older-than 30d --cache s3://ci-cache/mote", does: "Prune a tier" },
  ],
  afterInterrupt: "content removed so far is gone; the rest is intact",
  run: async (context, _values, options) => (await import("../commands/prune.js")).prune(context, options),
});
