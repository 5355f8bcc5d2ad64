import { command } from "../input/command.js";
import { afterInterruptedMove, movingOptions, offlineOption } from "./moving-options.js";

export const pull = command({
  name: "pull",
  group: "Move",
  summary: "move an image or an artifact's files through the cache to a destination",
  description: [
    "Without a destination, into the cache alone. A destination that ends in `/`, is `.`, `..` or `~`, or begins with `./`, `../`, `/` or `~/` is a plain folder, for an artifact's files: its layers with a title (`org.opencontainers.image.title`), or its only layer, which gets a name if it has none. A registry is written with `docker://`.",
    "While the registry fails, in whatever way, what the cache has under the name is used, with a warning; 401, 403 and 404 are errors.",
    "Of an index of which the source has some platforms alone, as archives often do, those are moved: the others are named on stderr and, with --json, in `refs[].missing`, and the exit status is 0. A registry takes an index only with everything that it lists, so it is not sent such an index: choose with --platform.",
    "A digest as source means that content: out of the cache, or from where it is known to be. Of what the cache has, the first 6 digits will do.",
  ],
  arguments: {
    src: { summary: "where it is, such as docker://HOST/NAME:TAG, or a digest", completes: "reference" },
    dest: { optional: true, summary: "where it goes, such as oci:DIR:TAG, or ./DIR/", completes: "destination" },
  },
  options: {
    ...movingOptions,
    ...offlineOption,
    link: { summary: "into a plain folder: read-only links to the cache's files where they cannot be cloned" },
  },
  examples: [
    { line: "mote pull docker.io/library/alpine:3.20", does: "into the cache; a second pull fetches nothing" },
    {
      line: "mote pull docker://ghcr.io/acme/app:1.2 oci:build/app:1.2 --platform linux/arm64",
      does: "one platform, through the cache into a layout",
    },
    {
      line: "mote pull ghcr.io/acme/app:1.2 oci:build/app:1.2 --offline",
      does: "what the cache has, and nobody is asked",
    },
    { line: "mote pull ghcr.io/acme/model:7b ./models/", does: "an artifact's files into a folder" },
  ],
  reachesRegistries: true,
  afterInterrupt: afterInterruptedMove,
  run: async (context, { src, dest }, options) =>
    (await import("../commands/pull.js")).pull(context, src, dest, options),
});
