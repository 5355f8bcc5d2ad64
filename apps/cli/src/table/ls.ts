import { command } from "../input/command.js";
import { kinds, sortKeys } from "../output/listing-options.js";

export const ls = command({
  name: "ls",
  group: "Look",
  summary: "list what is kept",
  description: [
    "A line for each name, for each manifest without one, and for each blob that no image refers to. SIZE is what is kept of the whole image, AGE since when it is kept, USED how long ago it was last used.",
    "Patterns choose by name: with * or ? the whole name, or what follows a slash in it; without, any part of it.",
  ],
  arguments: {
    pattern: { many: true, optional: true, summary: "only these names, such as 'alpine:*'", completes: "name" },
  },
  options: {
    all: { short: "a", summary: "every mote: configs, layers, the images of an index; and what each is part of" },
    full: { summary: "whole digests and names" },
    sort: { value: "KEY", summary: `by ${sortKeys.join(", ")}; default: name`, completes: sortKeys },
    reverse: { short: "r", summary: "the other way round" },
    tagged: { summary: "only what has a name" },
    untagged: { summary: "only what has none" },
    pinned: { summary: "only what is pinned" },
    "older-than": { value: "TIME", summary: "only what was not used for this long, such as 30d" },
    "larger-than": { value: "SIZE", summary: "only what is larger, such as 100MB" },
    kind: { value: "KIND", summary: `only ${kinds.join(", ")}`, completes: kinds },
  },
  examples: [
    { line: "mote ls", does: "what is kept, by name" },
    { line: "mote ls 'alpine:*' --sort used", does: "all tags of alpine, the longest unused first" },
    {
      line: "mote ls --all --sort size --larger-than 100MB",
      does: "the large layers, and the images that they are in",
    },
    { line: "mote ls --json --kind layer | jq -r '.[].digest'", does: "the digest of every layer, for a script" },
  ],
  run: async (context, { pattern }, options) => (await import("../commands/ls.js")).ls(context, pattern ?? [], options),
});
