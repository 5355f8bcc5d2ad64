import { command } from "../input/command.js";

const levels = ["registry", "repository", "image"] as const;

export const du = command({
  name: "du",
  group: "Inspect",
  summary: "Show disk usage by registry, repository and image",
  description: [
    "UNSHARED is the space that removing the item would free. SHARED is the space that it shares with others. On a terminal, a bar shows the item's share of the cache: solid for unshared, light for shared space.",
  ],
  options: {
    by: { value: "LEVEL", default: "image", summary: `the level of detail: ${levels.join(", ")}`, choices: levels },
  },
  examples: [
    { line: "mote du", does: "Show the disk usage of each image" },
    { line: "mote du --by registry", does: "Show only a total for each registry" },
    { line: "mote du --json | jq .bytes", does: "Print the size of the cache in bytes" },
  ],
  run: async (context, _values, options) => (await import("../commands/du.js")).du(context, options),
});
