import { command } from "../command.js";

export const locate = command({
  name: "locate",
  group: "Look",
  summary: "where a mote is known to be",
  arguments: { digest: { summary: "a digest, or the first digits of one that is kept here", completes: "digest" } },
  examples: [
    { line: "mote locate 4bcff63911fc", does: "its file, and the repositories where it has been seen" },
    {
      line: "mote locate sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1 --json",
      does: "one that need not be kept here, for a script",
    },
  ],
  run: async (context, { digest }) => (await import("../commands/locate.js")).locate(context, digest),
});
