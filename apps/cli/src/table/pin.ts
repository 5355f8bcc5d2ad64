import { command } from "../input/command.js";

export const pin = command({
  name: "pin",
  group: "Keep",
  summary: "keep motes or whole images, whatever prune and size limits say",
  description: ["What is pinned by a name is the image that the name stands for now, with all that is below it."],
  arguments: { name: { many: true, summary: "names, or digests", completes: "name" } },
  examples: [
    { line: "mote pin docker.io/library/alpine:3.20", does: "prune leaves the image, whole" },
    { line: "mote pin alpine:3.20 4bcff63911fc", does: "by the end of a name, and by the first digits of a digest" },
  ],
  run: async (context, { name }) => (await import("../commands/pin.js")).pin(context, name, "pin"),
});
