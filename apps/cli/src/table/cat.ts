import { command } from "../input/command.js";

export const cat = command({
  name: "cat",
  group: "Look",
  summary: "write a mote to stdout, verified",
  arguments: { digest: { summary: "a digest or its first digits; or a name, for its manifest", completes: "digest" } },
  examples: [
    { line: "mote cat sha256:4bcff63911fc > layer.tar.gz", does: "a layer, by the first digits of its digest" },
    { line: "mote cat 9c3b1e7a | jq .layers", does: "the layers of a manifest" },
  ],
  withoutJson: "it writes the mote's own bytes",
  run: async (context, { digest }) => (await import("../commands/cat.js")).cat(context, digest),
});
