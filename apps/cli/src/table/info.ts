import { command } from "../command.js";

export const info = command({
  name: "info",
  group: "Look",
  summary: "what is known of a mote",
  arguments: { digest: { summary: "a digest, or the first digits of one", completes: "digest" } },
  examples: [
    { line: "mote info sha256:4bcff63911fc", does: "size, media type, path and names" },
    { line: "mote info 4bcff63911fc --json | jq -r .path", does: "the file that holds it" },
  ],
  run: async (context, { digest }) => (await import("../commands/info.js")).info(context, digest),
});
