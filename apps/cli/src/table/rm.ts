import { command } from "../input/command.js";

export const rm = command({
  name: "rm",
  group: "Keep",
  summary: "remove images by name, and motes by digest",
  description: [
    "The last name of an image takes with it all that nothing else in the cache refers to. What is pinned, or needed by a transfer that goes on, stays.",
  ],
  arguments: { name: { many: true, summary: "names, or digests", completes: "name" } },
  options: { "keep-content": { summary: "only take the names away; prune may remove the rest later" } },
  examples: [
    { line: "mote rm docker.io/library/alpine:3.20", does: "the name, and what only this image needs" },
    { line: "mote rm 4bcff63911fc 9c3b1e7a", does: "two motes, by the first digits of their digests" },
  ],
  run: async (context, { name }, options) => (await import("../commands/rm.js")).rm(context, name, options),
});
