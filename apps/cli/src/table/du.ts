import { command } from "../input/command.js";

const levels = ["registry", "repository", "image"] as const;

export const du = command({
  name: "du",
  group: "Look",
  summary: "what takes the space: by registry, repository and image",
  description: [
    "UNSHARED is what would be free without it; SHARED is what others beside it have, too. At a terminal, a bar shows how much of the cache it is: full where it is unshared, light where it is shared.",
  ],
  options: {
    by: { value: "LEVEL", default: "image", summary: `how far down to go: ${levels.join(", ")}`, completes: levels },
  },
  examples: [
    { line: "mote du", does: "what each image takes" },
    { line: "mote du --by registry", does: "what each registry takes, in a few lines" },
    { line: "mote du --json | jq .bytes", does: "all of it in bytes, for a script" },
  ],
  run: async (context, _values, options) => (await import("../commands/du.js")).du(context, options),
});
