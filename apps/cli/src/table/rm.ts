import { command } from "../input/command.js";

export const rm = command({
  name: "rm",
  group: "Manage",
  summary: "Remove images by name and motes by digest",
  description: [
    "Removing the last name of an image also removes its content, except what other images refer to. Pinned content and content in use by a running transfer are not removed.",
  ],
  arguments: { name: { many: true, summary: "a name, a digest or a digest prefix", completes: "name" } },
  options: { "keep-content": { summary: "remove only the name; prune can remove the content later" } },
  examples: [
    {
      line: "mote rm docker.io/library/alpine:3.20",
      does: "Remove the name and the content that only this image uses",
    },
    { line: "mote rm 4bcff63911fc 9c3b1e7a", does: "Remove two motes by digest prefix" },
  ],
  run: async (context, { name }, options) => (await import("../commands/rm.js")).rm(context, name, options),
});
