import { command } from "../input/command.js";

export const bicMerge = command({
  name: "bic merge",
  group: "Keep",
  summary: "take over what another cache knows of blobs",
  description: [
    "Of two facts about one thing the newer stays; to merge again changes nothing. Merge only what caches of yours have exported: it is believed.",
  ],
  arguments: { file: { many: true, summary: "what bic export has written; - is stdin", completes: "file" } },
  examples: [
    { line: "mote bic merge worker-1.jsonl worker-2.jsonl", does: "what two workers have learnt" },
    { line: "zstd -dc facts.jsonl.zst | mote bic merge -", does: "from a pipe" },
  ],
  run: async (context, { file }) => (await import("../commands/bic.js")).mergeFacts(context, file),
});
