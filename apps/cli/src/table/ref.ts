import { command } from "../input/command.js";

export const ref = command({
  name: "ref",
  group: "Inspect",
  summary: "Show how a reference is parsed",
  arguments: { ref: { summary: "a reference, with or without its transport", completes: "reference" } },
  examples: [
    { line: "mote ref alpine", does: "Show the parts of docker.io/library/alpine:latest" },
    { line: "mote ref oci:build/app:1.2 --json", does: "Print path and tag as JSON" },
  ],
  run: async (context, { ref }) => (await import("../commands/ref.js")).ref(context, ref),
});
