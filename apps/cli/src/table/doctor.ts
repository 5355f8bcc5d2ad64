import { command } from "../input/command.js";

export const doctor = command({
  name: "doctor",
  group: "Setup",
  summary: "Check the environment and report problems",
  description: [
    "Checks Node, the settings, the cache directory and its file system, the cached images, the blob-info cache, credentials, and the given registries. Each line starts with ok, warn or fail and says what to do. Nothing is changed and no secret is printed. The exit status is 1 if a check fails.",
    "A tier, a bucket and a Redis are tested with small objects, which are then removed: whether they respond, can be written to, reject wrong bytes, support conditional writes, and have synchronized clocks, and whether Redis evicts records.",
  ],
  arguments: { host: { many: true, optional: true, summary: "registries to connect to, such as ghcr.io" } },
  examples: [
    { line: "mote doctor", does: "Check this machine" },
    { line: "mote doctor ghcr.io registry.acme.dev:5000", does: "Also check whether these registries grant access" },
  ],
  cacheFolder: "reported",
  run: async (context, { host }) => (await import("../commands/doctor.js")).doctor(context, host ?? []),
});
