import { command } from "../input/command.js";

export const verify = command({
  name: "verify",
  group: "Keep",
  summary: "hash again what is kept; set aside what is damaged",
  arguments: {
    name: {
      many: true,
      optional: true,
      summary: "only these images and motes; default: everything",
      completes: "name",
    },
  },
  options: {
    repair: { summary: "fetch again what is damaged, unreadable or missing, from where it came from" },
    offline: { summary: "with --repair: from layouts and archives alone; no registry is asked" },
  },
  examples: [
    { line: "mote verify", does: "says what is damaged, and sets it aside" },
    { line: "mote verify --repair", does: "fetches it again as well" },
    { line: "mote verify alpine:3.20", does: "one image with all its layers" },
  ],
  reachesRegistries: true,
  afterInterrupt: "what was found damaged so far is set aside",
  run: async (context, { name }, options) =>
    (await import("../commands/verify.js")).verify(context, name ?? [], options),
});
