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
      "transfer only the images of an index that best match these platforms (default all); a registry gets several as a new index",
    completes: platforms,
  },
  "all-platforms": { summary: "transfer every platform of an index, overriding the settings" },
  "with-referrers": { summary: "transfer referrers too, such as signatures and attestations" },
  "max-unpacked": { value: "SIZE", summary: "limit on the unpacked size of archives (default 100GiB)" },
  force: { summary: "overwrite existing files, and images in an archive, that differ" },
  concurrency: { value: "N", summary: "number of blobs transferred in parallel" },
  "limit-rate": {
    value: "[HOST=]SIZE",
    many: true,
    summary:
      "limit the bytes per second that are read, and those that are sent to registries; with HOST=, those of one registry",
  },
} as const satisfies Options;

/** The options of commands whose source may be a registry. */
export const connectionsOption = {
  "connections-per-blob": {
    value: "N",
    summary:
      "maximum number of connections for a blob of 1 GiB or more (default 6); one is added only while that is faster",
  },
} as const satisfies Options;

export const deltaOption = {
  delta: {
    value: "WHEN",
    summary:
      "rebuild layers from cached content or a delta instead of fetching them: auto, if the network is slower (default), always or never",
    choices: ["auto", "always", "never"],
  },
} as const satisfies Options;

/** The option of a command whose destination may be local. */
export const offlineOption = {
  offline: { summary: "contact no registry: use the cached image; DEST must be local" },
} as const satisfies Options;

export const afterInterruptedMove = "fetched content is kept; run the command again to resume";
