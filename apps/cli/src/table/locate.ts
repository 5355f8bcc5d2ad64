import { command } from "../input/command.js";

export const locate = command({
  name: "locate",
  group: "Inspect",
  summary: "Show where a mote is stored and has been seen",
  description: [
    "Shows its file, if it is cached, then the repositories where it has been seen, newest first, and other forms of the same content, such as the uncompressed one.",
  ],
  arguments: {
    digest: { summary: "a digest, the prefix of a cached digest, or a name", completes: "digest" },
  },
  options: {
    for: {
      value: "DEST",
      summary: "show for each location whether DEST could mount it from there",
      completes: "reference",
    },
  },
  examples: [
    { line: "mote locate 4bcff63911fc", does: "Show its file and the repositories where it has been seen" },
    {
      line: "mote locate 4bcff63911fc --for docker://registry.acme.dev/team/app",
      does: "Show whether a push to this repository would upload it",
    },
  ],
  run: async (context, { digest }, options) => (await import("../commands/locate.js")).locate(context, digest, options),
});
