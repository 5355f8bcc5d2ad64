import { command } from "../command.js";

export const ls = command({
  name: "ls",
  group: "Look",
  summary: "list what is kept",
  options: { full: { summary: "whole digests" } },
  examples: [
    { line: "mote ls", does: "what is kept, the named first" },
    { line: "mote ls --json --full | jq '.[].digest'", does: "every digest, for a script" },
  ],
  run: async (context, _values, options) => (await import("../commands/ls.js")).ls(context, options),
});
