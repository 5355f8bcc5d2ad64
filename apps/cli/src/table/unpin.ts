import { command } from "../input/command.js";

export const unpin = command({
  name: "unpin",
  group: "Manage",
  summary: "Remove pins",
  arguments: { name: { many: true, summary: "a name, a digest or a digest prefix", completes: "name" } },
  examples: [
    { line: "mote unpin docker.io/library/alpine:3.20", does: "Allow prune to remove the image" },
    { line: "mote unpin 4bcff63911fc --json", does: "Print as JSON whether it was pinned" },
  ],
  run: async (context, { name }) => (await import("../commands/pin.js")).pin(context, name, "unpin"),
});
