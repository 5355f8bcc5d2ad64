import { command } from "../input/command.js";

export const bicMerge = command({
  name: "bic merge",
  group: "Manage",
  summary: "Import exported blob-info caches",
  description: [
    "If two records conflict, the newer one wins. Merging a file twice changes nothing. The records are trusted without verification, so merge only exports of your own caches.",
  ],
  arguments: { file: { many: true, summary: "a file written by mote bic export, or - for stdin", completes: "file" } },
  examples: [
    { line: "mote bic merge worker-1.jsonl worker-2.jsonl", does: "Import the records of two workers" },
    { line: "zstd -dc facts.jsonl.zst | mote bic merge -", does: "Import from a pipe" },
  ],
  run: async (context, { file }) => (await import("../commands/bic.js")).mergeFacts(context, file),
});
