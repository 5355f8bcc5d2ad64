import { command } from "../input/command.js";

export const bicExport = command({
  name: "bic export",
  group: "Keep",
  summary: "write down where blobs are known to be, for another machine",
  description: [
    "The blob-info cache knows in which repositories a blob has been seen, so that it is mounted instead of sent. A worker in CI that begins with this knowledge mounts from its first push on.",
  ],
  arguments: { file: { optional: true, summary: "where to; default: stdout", completes: "file" } },
  examples: [
    { line: "mote bic export facts.jsonl", does: "to a file, there in one piece" },
    { line: "mote bic export | zstd > facts.jsonl.zst", does: "to a pipe" },
  ],
  run: async (context, { file }) => (await import("../commands/bic.js")).exportFacts(context, file),
});
