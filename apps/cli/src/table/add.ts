import { command } from "../input/command.js";

export const add = command({
  name: "add",
  group: "Keep",
  summary: "copy files into the cache; prints their digests",
  arguments: { file: { many: true, summary: "files; - is stdin", completes: "file" } },
  examples: [
    { line: "mote add model.safetensors", does: "keeps a copy, and prints its digest" },
    { line: "pg_dump shop | mote add -", does: "keeps what comes through a pipe" },
    { line: "mote add dist/*.tgz --json", does: "digests and sizes, for a script" },
  ],
  run: async (context, { file }) => (await import("../commands/add.js")).add(context, file),
});
