import { command } from "../input/command.js";
import { afterInterruptedMove, movingOptions } from "./moving-options.js";

const { platform, concurrency } = movingOptions;

export const delta = command({
  name: "delta",
  group: "Transfer",
  summary: "Make what an image needs beyond an older one, for faster updates",
  description: [
    "Both images are pulled into the cache. The delta is an artifact whose subject is NEW, in the format of containers/oci-delta: the files of OLD are patched to make the files of NEW, and the encoder of each layer is named, so that its layers are made bit by bit under their own digests. For an index, a delta is made for each platform that both images have.",
    "Push the delta to the repository of NEW: where OLD is stored, `mote pull`, `copy` and `sync` of NEW then find it by its subject and fetch it instead of the layers (--delta). Layers that no encoder reproduces are fetched as without a delta; the output says which.",
    "Without DEST, the delta gets a name in the cache.",
  ],
  arguments: {
    old: { summary: "the older image: a reference, or a digest of cached content", completes: "reference" },
    new: { summary: "the newer image", completes: "reference" },
    dest: {
      optional: true,
      summary: "where the delta goes: docker://HOST/REPOSITORY, oci:DIR[:TAG] or oci-archive:FILE[:TAG]",
      completes: "destination",
    },
  },
  options: {
    platform: {
      ...platform,
      summary: "make deltas only for the images of an index that best match these platforms (default all)",
    },
    force: { summary: "replace a file that is not an archive" },
    concurrency,
  },
  examples: [
    {
      line: "mote delta ghcr.io/acme/app:1.2 ghcr.io/acme/app:1.3 docker://ghcr.io/acme/app",
      does: "Push a delta beside the new image, where every pull finds it",
    },
    {
      line: "mote delta ghcr.io/acme/app:1.2 ghcr.io/acme/app:1.3 --json | jq '.deltas[].deltaBytes'",
      does: "Print how many bytes an update would cost",
    },
  ],
  reachesRegistries: true,
  afterInterrupt: afterInterruptedMove,
  run: async (context, { old, new: next, dest }, options) =>
    (await import("../commands/delta.js")).delta(context, [old, next], dest, options),
});
