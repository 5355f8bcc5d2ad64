import { command } from "../input/command.js";

export const pin = command({
  name: "pin",
  group: "Manage",
  summary: "Protect images and motes from prune and size limits",
  description: ["Pinning a name protects the image that it points to now, with all its content."],
  arguments: { name: { many: true, summary: "a name, a digest or a digest prefix", completes: "name" } },
  examples: [
    { line: "mote pin docker.io/library/alpine:3.20", does: "Protect an image" },
    { line: "mote pin alpine:3.20 4bcff63911fc", does: "Select by the end of a name and by digest prefix" },
  ],
  run: async (context, { name }) => (await import("../commands/pin.js")).pin(context, name, "pin"),
});
