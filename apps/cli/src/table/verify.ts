import { command } from "../input/command.js";

export const verify = command({
  name: "verify",
  group: "Manage",
  summary: "Verify cached content and quarantine damaged files",
  description: [
    "With the path of an archive (or of its first part or list of parts) or oci:DIR, verifies the images of that archive or layout instead, and names damaged parts. Blobs that an archive omits (sync --without) are listed.",
  ],
  arguments: {
    name: {
      many: true,
      optional: true,
      summary: "verify only these images and motes, or an archive (default everything)",
      completes: "name",
    },
  },
  options: {
    repair: { summary: "re-download missing, unreadable or damaged content from each image's source" },
    offline: { summary: "with --repair: use only local layouts and archives, contact no registry" },
  },
  examples: [
    { line: "mote verify", does: "Verify everything and quarantine damaged files" },
    { line: "mote verify --repair", does: "Also re-download damaged and missing content" },
    { line: "mote verify june.tar", does: "Verify an archive before or after transport" },
    { line: "mote verify alpine:3.20", does: "Verify one image with all its layers" },
  ],
  reachesRegistries: true,
  afterInterrupt: "damaged files found so far are quarantined",
  run: async (context, { name }, options) =>
    (await import("../commands/verify.js")).verify(context, name ?? [], options),
});
