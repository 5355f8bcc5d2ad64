import { command } from "../input/command.js";

export const logout = command({
  name: "logout",
  group: "Set up",
  summary: "forget a registry's password, wherever it is kept",
  arguments: { host: { summary: "the registry, such as ghcr.io" } },
  examples: [
    { line: "mote logout registry.acme.dev", does: "takes it out of all files and credential helpers" },
    { line: "mote logout ghcr.io --json | jq -r '.erased[]'", does: "the places that had it" },
  ],
  cacheFolder: "unused",
  run: async (context, { host }) => (await import("../commands/logout.js")).logout(context, host),
});
