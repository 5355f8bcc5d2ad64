import { command } from "../input/command.js";

export const unpin = command({
  name: "unpin",
  group: "Keep",
  summary: "let prune remove again what was pinned",
  arguments: { name: { many: true, summary: "names, or digests", completes: "name" } },
  examples: [
    { line: "mote unpin docker.io/library/alpine:3.20", does: "the image may go when it is not used" },
    { line: "mote unpin 4bcff63911fc --json", does: "and whether it was pinned, for a script" },
  ],
  run: async (context, { name }) => (await import("../commands/pin.js")).pin(context, name, "unpin"),
});
