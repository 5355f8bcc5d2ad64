import { command } from "../command.js";

export const rm = command({
  name: "rm",
  group: "Keep",
  summary: "remove motes by digest, and tags by name",
  arguments: { name: { many: true, summary: "digests, or names of tags", completes: "name" } },
  examples: [
    { line: "mote rm docker.io/library/alpine:3.20", does: "the name; `mote prune` takes what nothing names" },
    { line: "mote rm 4bcff63911fc 9c3b1e7a", does: "two motes, by the first digits of their digests" },
  ],
  run: async (context, { name }) => (await import("../commands/rm.js")).rm(context, name),
});
