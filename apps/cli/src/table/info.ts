import { command } from "../input/command.js";

export const info = command({
  name: "info",
  group: "Inspect",
  summary: "Show details of an image or a mote",
  description: [
    "For an image, shows the tree of platforms, config, layers and referrers, such as signatures, and which of them are cached. For every mote, shows its size, age, last use and pins, whether it was verified since it last changed, the images that contain it, and where else it has been seen.",
  ],
  arguments: { name: { summary: "a name, a digest or a digest prefix", completes: "name" } },
  examples: [
    { line: "mote info docker.io/library/alpine:3.20", does: "Show the tree of an image" },
    { line: "mote info 4bcff63911fc --json | jq -r .path", does: "Print the path of a mote's file" },
  ],
  run: async (context, { name }) => (await import("../commands/info.js")).info(context, name),
});
