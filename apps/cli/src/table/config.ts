import { command } from "../input/command.js";
import { keyNames } from "../settings/keys.js";

export const config = command({
  name: "config",
  group: "Set up",
  summary: "show each setting, its value, and where it comes from",
  description: [
    "Flags go over the environment, that over the project's file (.mote.json in the working folder or above it), that over your own ($XDG_CONFIG_HOME/mote/config.json, else ~/.config/mote/config.json; or what MOTE_CONFIG names). Files are JSON with comments. A project's file may be somebody else's, so it sets only what cannot harm you.",
  ],
  arguments: {
    key: { optional: true, summary: "one setting, of which only the value is printed", completes: keyNames },
  },
  examples: [
    { line: "mote config", does: "every setting, and the files that were looked at" },
    { line: "mote config cache", does: "the cache folder, for a script" },
  ],
  run: async (context, { key }) => (await import("../commands/config.js")).config(context, key),
});
