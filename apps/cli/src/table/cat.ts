import { command } from "../input/command.js";

export const cat = command({
  name: "cat",
  group: "Inspect",
  summary: "Write the content of a mote to stdout, verified",
  arguments: {
    digest: { summary: "a digest or digest prefix, or a name, which means its manifest", completes: "digest" },
  },
  examples: [
    { line: "mote cat sha256:4bcff63911fc > layer.tar.gz", does: "Write a layer to a file, by digest prefix" },
    { line: "mote cat 9c3b1e7a | jq .layers", does: "List the layers of a manifest" },
  ],
  withoutJson: "it writes the content itself",
  run: async (context, { digest }) => (await import("../commands/cat.js")).cat(context, digest),
});
