import { command } from "../input/command.js";

export const locate = command({
  name: "locate",
  group: "Look",
  summary: "where a mote is known to be",
  description: [
    "Its file, if it is kept here; then the places where it has been seen, newest first, and other forms of the same content.",
  ],
  arguments: {
    digest: { summary: "a digest, or the first digits of one that is kept here; or a name", completes: "digest" },
  },
  options: {
    for: {
      value: "DEST",
      summary: "say for each place whether DEST could mount it from there",
      completes: "reference",
    },
  },
  examples: [
    { line: "mote locate 4bcff63911fc", does: "its file, and the repositories where it has been seen" },
    {
      line: "mote locate 4bcff63911fc --for docker://registry.acme.dev/team/app",
      does: "whether a push to there would have to send it",
    },
  ],
  run: async (context, { digest }, options) => (await import("../commands/locate.js")).locate(context, digest, options),
});
