import { command } from "../input/command.js";

export const login = command({
  name: "login",
  group: "Set up",
  summary: "check a registry's password, and keep it",
  description: [
    "It is kept where docker login and podman login keep it: in the file that has the registry already, else in REGISTRY_AUTH_FILE or Docker's config.json; by the credential helper that the file names, if it names one. On a terminal, what is missing is asked for, without an echo. A password is not taken from the command line, where others could read it.",
  ],
  arguments: { host: { summary: "the registry, such as ghcr.io or 10.0.0.7:5000" } },
  options: {
    username: { value: "NAME", short: "u", summary: "who logs in; default: asked for on the terminal" },
    "password-stdin": { summary: "read the password, or a token that stands for one, from stdin" },
  },
  examples: [
    { line: "mote login registry.acme.dev", does: "asks for name and password" },
    {
      line: "pass ghcr.io | mote login ghcr.io --username ann --password-stdin",
      does: "with what a password store prints",
    },
  ],
  reachesRegistries: true,
  cacheFolder: "unused",
  run: async (context, { host }, options) => (await import("../commands/login.js")).login(context, host, options),
});
