import type { Options } from "../input/command.js";

/** Platforms that the shell completes. */
export const platforms = [
  "linux/amd64",
  "linux/arm64",
  "linux/arm/v7",
  "linux/s390x",
  "linux/ppc64le",
  "windows/amd64",
];

export const movingOptions = {
  platform: {
    value: "OS[(VERSION)]/ARCH[/VARIANT][,…]",
    summary:
      "transfer only the images of an index that best match these platforms (default all); of several, a registry gets a new index",
    completes: platforms,
  },
  "all-platforms": { summary: "transfer every platform of an index, overriding the settings" },
  "with-referrers": { summary: "transfer referrers too, such as signatures and attestations" },
  "max-unpacked": { value: "SIZE", summary: "limit on the unpacked size of archives (default 100GiB)" },
  force: { summary: "replace existing files, and images in an archive, that have other content" },
  concurrency: { value: "N", summary: "number of blobs transferred in parallel" },
  "limit-rate": {
    value: "[HOST=]SIZE",
    many: true,
    summary:
      "limit on the bytes per second read, and on those sent to registries, shared by all blobs; or on those of this registry",
  },
} as const satisfies Options;

/** The options of commands whose source may be a registry. */
export const connectionsOption = {
  "connections-per-blob": {
    value: "N",
    summary:
      "limit on the connections that read one blob of 1 GiB or more (default 6); more are used only while they are faster",
  },
} as const satisfies Options;

export const deltaOption = {
  delta: {
    value: "WHEN",
    summary:
      "make layers from cached content with another compression, or from an older image and a delta, instead of fetching them: auto, where the link is slower (default), always or never",
    completes: ["auto", "always", "never"],
  },
} as const satisfies Options;

/** The option of a command whose destination may be local. */
export const offlineOption = {
  offline: { summary: "contact no registry: use the cached image; DEST must be local" },
} as const satisfies Options;

export const afterInterruptedMove = "fetched content is kept; run the command again to resume";
