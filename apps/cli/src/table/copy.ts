import { command } from "../input/command.js";
import { afterInterruptedMove, movingOptions, offlineOption } from "./moving-options.js";

export const copy = command({
  name: "copy",
  group: "Move",
  summary: "move an image from anywhere through the cache to anywhere",
  description: [
    "Within a registry, blobs are mounted: they are neither fetched nor sent. A destination without a transport is a registry where it names a host, as ghcr.io/acme/app does; acme/app is refused, as it may be a folder.",
  ],
  arguments: {
    src: { summary: "where it is, such as docker://HOST/NAME:TAG, or a digest", completes: "reference" },
    dest: { summary: "where it goes, such as docker://OTHER/NAME:TAG", completes: "destination" },
  },
  options: { ...movingOptions, ...offlineOption },
  examples: [
    {
      line: "mote copy docker://docker.io/library/alpine:3.20 docker://registry.acme.dev/base/alpine:3.20",
      does: "from one registry to another, with every platform",
    },
    {
      line: "mote copy docker://ghcr.io/acme/app:1.2 oci-archive:app.tar:1.2 --with-referrers",
      does: "into a tar file, with signatures and attestations",
    },
  ],
  reachesRegistries: true,
  afterInterrupt: afterInterruptedMove,
  run: async (context, { src, dest }, options) =>
    (await import("../commands/pull.js")).copy(context, src, dest, options),
});
