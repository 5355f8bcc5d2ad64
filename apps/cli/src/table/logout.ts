import { command } from "../input/command.js";

export const logout = command({
  name: "logout",
  group: "Setup",
  summary: "Remove the credentials of a registry",
  arguments: { host: { summary: "the registry, such as ghcr.io" } },
  examples: [
    { line: "mote logout registry.acme.dev", does: "Remove the credentials from all files and credential helpers" },
    { line: "mote logout ghcr.io --json | jq -r '.erased[]'", does: "Print where credentials were removed" },
  ],
  cacheFolder: "unused",
  run: async (context, { host }) => (await import("../commands/logout.js")).logout(context, host),
});
