import { command } from "../input/command.js";

export const login = command({
  name: "login",
  group: "Setup",
  summary: "Log in to a registry",
  description: [
    "Checks the credentials and stores them where docker login and podman login do: in the file that already has an entry for the registry, otherwise in REGISTRY_AUTH_FILE or Docker's config.json, or in the credential helper that the file names. On a terminal, prompts for the user name and the password. A password is not accepted on the command line, where other users could read it.",
  ],
  arguments: { host: { summary: "the registry, such as ghcr.io or 10.0.0.7:5000" } },
  options: {
    username: { value: "NAME", short: "u", summary: "the user name (default: prompt)" },
    "password-stdin": { summary: "read the password or token from stdin" },
  },
  examples: [
    { line: "mote login registry.acme.dev", does: "Prompt for user name and password" },
    {
      line: "pass ghcr.io | mote login ghcr.io --username ann --password-stdin",
      does: "Read the password from a password manager",
    },
  ],
  reachesRegistries: true,
  cacheFolder: "unused",
  run: async (context, { host }, options) => (await import("../commands/login.js")).login(context, host, options),
});
