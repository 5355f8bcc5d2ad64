import { command } from "../input/command.js";
import {
  afterInterruptedMove,
  connectionsOption,
  deltaOption,
  movingOptions,
  offlineOption,
} from "./moving-options.js";

export const copy = command({
  name: "copy",
  group: "Transfer",
  summary: "Copy an image between any two locations, through the cache",
  description: [
    "Within one registry, blobs are mounted: they are neither downloaded nor uploaded. A destination without a transport is a registry if it starts with a host, such as ghcr.io/acme/app. A destination such as acme/app is rejected, because it could also be a directory.",
  ],
  arguments: {
    src: { summary: "the source: a reference, such as docker://HOST/NAME:TAG, or a digest", completes: "reference" },
    dest: { summary: "the destination, such as docker://HOST/NAME:TAG", completes: "destination" },
  },
  options: { ...movingOptions, ...connectionsOption, ...offlineOption, ...deltaOption },
  examples: [
    {
      line: "mote copy docker://docker.io/library/alpine:3.20 docker://registry.acme.dev/base/alpine:3.20",
      does: "Copy all platforms from one registry to another",
    },
    {
      line: "mote copy docker://ghcr.io/acme/app:1.2 oci-archive:app.tar:1.2 --with-referrers",
      does: "Write a tar archive that includes signatures and attestations",
    },
  ],
  reachesRegistries: true,
  afterInterrupt: afterInterruptedMove,
  run: async (context, { src, dest }, options) =>
    (await import("../commands/pull.js")).copy(context, src, dest, options),
});
