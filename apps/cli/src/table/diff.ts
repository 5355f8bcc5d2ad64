import { command } from "../input/command.js";
import { platforms } from "./moving-options.js";

export const diff = command({
  name: "diff",
  group: "Inspect",
  summary: "Compare the layers and configs of two images, without pulling them",
  description: [
    "Marks layers and fields of the config with `-` if only the first image has them, and with `+` if only the second has them. The exit status is 0 whether or not they differ.",
  ],
  arguments: {
    first: { summary: "a reference, or a digest of cached content", completes: "reference" },
    second: { summary: "another reference or digest", completes: "reference" },
  },
  options: {
    platform: {
      value: "OS[(VERSION)]/ARCH[/VARIANT]",
      summary: "the images of indexes to compare (default: the only one, or Linux on this machine's architecture)",
      completes: platforms,
    },
    offline: { summary: "contact no registry: compare cached images" },
  },
  examples: [
    { line: "mote diff ghcr.io/acme/app:1.2 ghcr.io/acme/app:1.3", does: "Show what changed between two tags" },
    {
      line: "mote diff oci:build/app:1.3 ghcr.io/acme/app:1.2 --json | jq .sharedBytes",
      does: "Print the size of the shared layers",
    },
  ],
  reachesRegistries: true,
  run: async (context, { first, second }, options) =>
    (await import("../commands/diff.js")).diff(context, first, second, options),
});
