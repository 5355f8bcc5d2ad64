import { command } from "../input/command.js";

export const info = command({
  name: "info",
  group: "Look",
  summary: "what is known of an image or a mote",
  description: [
    "Of an image its tree: platforms, config, layers, and the signatures and other artifacts that refer to it; what of it is kept and what is not. Of any mote its size, age, last use, pins, whether it was verified since it last changed, what it is part of and where else it has been seen.",
  ],
  arguments: { name: { summary: "a name, or a digest or its first digits", completes: "name" } },
  examples: [
    { line: "mote info docker.io/library/alpine:3.20", does: "the tree of an image" },
    { line: "mote info 4bcff63911fc --json | jq -r .path", does: "the file that holds a mote" },
  ],
  run: async (context, { name }) => (await import("../commands/info.js")).info(context, name),
});
