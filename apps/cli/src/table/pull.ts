import { command } from "../input/command.js";
import { afterInterruptedMove, movingOptions, offlineOption } from "./moving-options.js";

export const pull = command({
  name: "pull",
  group: "Transfer",
  summary: "Pull an image or the files of an artifact, through the cache",
  description: [
    "Without DEST, pulls into the cache only. A DEST that ends in `/`, is `.`, `..` or `~`, or starts with `./`, `../`, `/` or `~/` is a directory for the files of an artifact: its layers with a title (`org.opencontainers.image.title`), or its only layer, which gets a file name if it has no title. A registry as DEST requires `docker://`.",
    "If the registry fails, the cached image of that name is used, with a warning. The statuses 401, 403 and 404 are errors.",
    "If the source has only some platforms of an index, as archives often do, those are transferred; the others are listed on stderr and, with --json, in `refs[].missing`, and the exit status is 0. A registry accepts an index only with everything that it lists, so for a registry select one with --platform.",
    "A digest as SRC means that content, from the cache or from any known location. For cached content, the first 6 digits are enough.",
  ],
  arguments: {
    src: { summary: "the source: a reference, such as docker://HOST/NAME:TAG, or a digest", completes: "reference" },
    dest: { optional: true, summary: "the destination, such as oci:DIR:TAG or ./DIR/", completes: "destination" },
  },
  options: {
    ...movingOptions,
    ...offlineOption,
    link: { summary: "into a directory: create read-only hard links to cached files that cannot be cloned" },
  },
  examples: [
    { line: "mote pull docker.io/library/alpine:3.20", does: "Pull into the cache; a second pull fetches nothing" },
    {
      line: "mote pull docker://ghcr.io/acme/app:1.2 oci:build/app:1.2 --platform linux/arm64",
      does: "Pull one platform into an OCI layout",
    },
    {
      line: "mote pull ghcr.io/acme/app:1.2 oci:build/app:1.2 --offline",
      does: "Copy the cached image without contacting the registry",
    },
    { line: "mote pull ghcr.io/acme/model:7b ./models/", does: "Pull the files of an artifact into a directory" },
  ],
  reachesRegistries: true,
  afterInterrupt: afterInterruptedMove,
  run: async (context, { src, dest }, options) =>
    (await import("../commands/pull.js")).pull(context, src, dest, options),
});
