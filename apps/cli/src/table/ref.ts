import { command } from "../input/command.js";

export const ref = command({
  name: "ref",
  group: "Look",
  summary: "show how a reference is read",
  arguments: { ref: { summary: "a reference, with or without its transport", completes: "reference" } },
  examples: [
    { line: "mote ref alpine", does: "docker.io/library/alpine:latest, part by part" },
    { line: "mote ref oci:build/app:1.2 --json", does: "a folder and a tag, for a script" },
  ],
  run: async (context, { ref }) => (await import("../commands/ref.js")).ref(context, ref),
});
