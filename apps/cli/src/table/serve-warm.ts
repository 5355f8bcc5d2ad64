import { command } from "../input/command.js";
import { movingOptions } from "./moving-options.js";

export const serveWarm = command({
  name: "serve warm",
  group: "Serve",
  summary: "Have a running mirror fetch images ahead of time",
  description: [
    "Sends a list of images to a mote serve with upstreams, which checks each image with its upstream and fetches what is missing. Prints a line for each image, and fails if any image failed. Requires permission to push.",
  ],
  arguments: {
    list: {
      summary: "a file with one reference per line, # for comments; or - for stdin",
      completes: "file",
    },
  },
  options: {
    url: { value: "URL", default: "http://127.0.0.1:5000", summary: "the address of the mirror" },
    platform: {
      ...movingOptions.platform,
      summary: "fetch only the images of an index that best match these platforms (default all)",
    },
  },
  examples: [
    { line: "mote serve warm images.txt", does: "Fetch all images in a list" },
    {
      line: "echo docker.io/library/alpine:3.20 | mote serve warm - --platform linux/amd64",
      does: "Fetch one image for one platform",
    },
  ],
  cacheFolder: "unused",
  run: async (context, { list }, options) =>
    (await import("../commands/serve-warm.js")).serveWarm(context, list, options),
});
