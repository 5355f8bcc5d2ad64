import { command } from "../input/command.js";

export const add = command({
  name: "add",
  group: "Manage",
  summary: "Add files to the cache and print their digests",
  arguments: { file: { many: true, summary: "a file, or - for stdin", completes: "file" } },
  examples: [
    { line: "mote add model.safetensors", does: "Add a file and print its digest" },
    { line: "pg_dump shop | mote add -", does: "Add the output of another command" },
    { line: "mote add dist/*.tgz --json", does: "Print digests and sizes as JSON" },
  ],
  run: async (context, { file }) => (await import("../commands/add.js")).add(context, file),
});
