import { command } from "../input/command.js";
import { kinds, sortKeys } from "../output/listing-options.js";

export const ls = command({
  name: "ls",
  group: "Inspect",
  summary: "List images and motes in the cache",
  description: [
    "Prints one line for each name, each manifest without a name, and each blob that no image refers to. SIZE is the cached size of the complete image, AGE the time since it was stored, USED the time since its last use.",
    "With the path of an archive (`oci-archive:-` for stdin) or oci:DIR, lists the images of that archive or layout instead, with the size of what it holds of each.",
    "A pattern with * or ? matches the complete name or the part after a slash. A pattern without them matches any part of the name.",
  ],
  arguments: {
    pattern: {
      many: true,
      optional: true,
      summary: "list only matching names, such as 'alpine:*'; or an archive",
      completes: "name",
    },
  },
  options: {
    all: {
      short: "a",
      summary: "list every mote, including configs, layers and the images of an index, and what each belongs to",
    },
    full: { summary: "do not shorten digests and names" },
    sort: { value: "KEY", summary: `sort by ${sortKeys.join(", ")} (default name)`, choices: sortKeys },
    reverse: { short: "r", summary: "reverse the order" },
    tagged: { summary: "list only images with a name" },
    untagged: { summary: "list only images and blobs without a name" },
    pinned: { summary: "list only pinned items" },
    "older-than": { value: "TIME", summary: "list only items unused for this long, such as 30d" },
    "larger-than": { value: "SIZE", summary: "list only items larger than this, such as 100MB" },
    kind: { value: "KIND", summary: `list only this kind: ${kinds.join(", ")}`, choices: kinds },
  },
  examples: [
    { line: "mote ls", does: "List images by name" },
    { line: "mote ls 'alpine:*' --sort used", does: "List all tags of alpine, the least recently used first" },
    {
      line: "mote ls --all --sort size --larger-than 100MB",
      does: "List large layers and the images that contain them",
    },
    { line: "mote ls --json --kind layer | jq -r '.[].digest'", does: "Print the digest of every layer" },
  ],
  run: async (context, { pattern }, options) => (await import("../commands/ls.js")).ls(context, pattern ?? [], options),
});
