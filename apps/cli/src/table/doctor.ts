import { command } from "../input/command.js";

export const doctor = command({
  name: "doctor",
  group: "Set up",
  summary: "look whether everything that mote needs is there and works",
  description: [
    "Node, settings, the cache folder and its file system, what is in it, the database, credentials, and the registries that are named. Each line is ok, warn or fail, and says what to do. It changes nothing and shows no secrets. Exit status 1 where something fails.",
  ],
  arguments: { host: { many: true, optional: true, summary: "registries to ask, such as ghcr.io" } },
  examples: [
    { line: "mote doctor", does: "everything on this machine" },
    { line: "mote doctor ghcr.io registry.acme.dev:5000", does: "and whether these registries let you in" },
  ],
  cacheFolder: "reported",
  run: async (context, { host }) => (await import("../commands/doctor.js")).doctor(context, host ?? []),
});
