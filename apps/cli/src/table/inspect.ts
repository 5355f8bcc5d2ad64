import { command } from "../input/command.js";
import { platforms } from "./moving-options.js";

export const inspect = command({
  name: "inspect",
  group: "Inspect",
  summary: "Show what a reference points to, without pulling its layers",
  description: [
    "Reads manifests and configs from a registry, a layout, an archive or a directory, and shows platforms, sizes, config, history, labels, base image, referrers such as SBOMs, and signatures. Nothing is stored. A digest, and everything with --offline, is read from the cache.",
    "For an index in a registry, the manifests of its platforms are requested only with --platform or --all-platforms; otherwise only the cached ones are shown. An uncompressed size is shown if it is known without reading the layer. Signatures are listed, but not verified.",
  ],
  arguments: { ref: { summary: "a reference, or a digest of cached content", completes: "reference" } },
  options: {
    platform: {
      value: "OS[(VERSION)]/ARCH[/VARIANT]",
      summary: "show only the image of an index that best matches this platform",
      completes: platforms,
    },
    "all-platforms": { summary: "read the manifest and config of every platform of an index" },
    raw: { summary: "print the manifest byte for byte" },
    config: { summary: "print the config byte for byte" },
    digest: { summary: "print only the digest; with --platform, that of the platform's image" },
    offline: { summary: "contact no registry: inspect the cached image" },
  },
  examples: [
    { line: "mote inspect docker.io/library/alpine:3.20", does: "List platforms, referrers and signatures" },
    {
      line: "mote inspect ghcr.io/acme/app:1.2 --platform linux/arm64",
      does: "Show the config, layers and history of one platform",
    },
    {
      line: "mote inspect oci-archive:app.tar --json | jq '.images[].config.labels'",
      does: "Print the labels of an image in an archive",
    },
    { line: "mote inspect ghcr.io/acme/app:1.2 --digest", does: "Print the digest of a tag" },
  ],
  reachesRegistries: true,
  run: async (context, { ref }, options) => (await import("../commands/inspect.js")).inspect(context, ref, options),
});
