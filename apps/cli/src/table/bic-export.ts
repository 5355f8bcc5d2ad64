import { command } from "../input/command.js";

export const bicExport = command({
  name: "bic export",
  group: "Manage",
  summary: "Export the blob-info cache",
  description: [
    "The blob-info cache records in which repositories a blob has been seen, so that a push can mount the blob instead of uploading it. A CI worker that imports these records with mote bic merge can mount blobs from its first push.",
  ],
  arguments: { file: { optional: true, summary: "the output file (default stdout)", completes: "file" } },
  examples: [
    { line: "mote bic export facts.jsonl", does: "Write to a file, atomically" },
    { line: "mote bic export | zstd > facts.jsonl.zst", does: "Write to stdout and compress" },
  ],
  run: async (context, { file }) => (await import("../commands/bic.js")).exportFacts(context, file),
});
