import { command } from "../input/command.js";
import { afterInterruptedMove, movingOptions } from "./moving-options.js";

const { platform, concurrency } = movingOptions;

export const delta = command({
  name: "delta",
  group: "Transfer",
  summary: "Create a delta between two images, for faster updates",
  description: [
    "Both images are pulled into the cache. The delta is an artifact whose subject is NEW, in the format of containers/oci-delta. It has what is needed to patch the files of OLD into those of NEW, and the encoder of each layer, so the rebuilt layers are identical and keep their digests. For an index, a delta is created for each platform that both images have.",
    "Push the delta to the repository of NEW. Where OLD is cached, `mote pull`, `copy` and `sync` of NEW then find it by its subject and fetch it instead of the layers (--delta). Layers that no encoder can reproduce are still fetched; the output lists them.",
    "Without DEST, the delta is stored in the cache under a name of its own.",
  ],
  arguments: {
    old: { summary: "the older image: a reference, or a digest of cached content", completes: "reference" },
    new: { summary: "the newer image", completes: "reference" },
    dest: {
      optional: true,
      summary: "the destination of the delta: docker://HOST/REPOSITORY, oci:DIR[:TAG] or oci-archive:FILE[:TAG]",
      completes: "destination",
    },
  },
  options: {
    platform: {
      ...platform,
      summary: "create deltas only for the images of an index that best match these platforms (default all)",
    },
    force: { summary: "replace a file that is not an archive" },
    concurrency,
  },
  examples: [
    {
      line: "mote delta ghcr.io/acme/app:1.2 ghcr.io/acme/app:1.3 docker://ghcr.io/acme/app",
      does: "Push a delta to the repository of the new image, where every pull finds it",
    },
    {
      line: "mote delta ghcr.io/acme/app:1.2 ghcr.io/acme/app:1.3 --json | jq '.deltas[].deltaBytes'",
      does: "Print how many bytes an update would fetch",
    },
  ],
  reachesRegistries: true,
  afterInterrupt: afterInterruptedMove,
  run: async (context, { old, new: next, dest }, options) =>
    (await import("../commands/delta.js")).delta(context, [old, next], dest, options),
});
