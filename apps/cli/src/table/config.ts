import { command } from "../input/command.js";
import { keyNames } from "../settings/keys.js";

export const config = command({
  name: "config",
  group: "Setup",
  summary: "Show settings and where their values come from",
  description: [
    "Precedence, highest first: flags, environment variables, the project's file (.mote.json in the working directory or the nearest parent), the user's file (MOTE_CONFIG, or $XDG_CONFIG_HOME/mote/config.json, or ~/.config/mote/config.json). Files are JSON with comments. Because a project's file may come from a stranger, it can set only a few harmless settings.",
  ],
  arguments: {
    key: { optional: true, summary: "print only the value of this setting", completes: keyNames },
  },
  examples: [
    { line: "mote config", does: "List all settings and the files that were read" },
    { line: "mote config cache", does: "Print the cache directory" },
  ],
  run: async (context, { key }) => (await import("../commands/config.js")).config(context, key),
});
