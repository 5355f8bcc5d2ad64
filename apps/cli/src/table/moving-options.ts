import type { Options } from "../input/command.js";

/** The options of every command that moves images. */
export const movingOptions = {
  platform: {
    value: "OS[(VERSION)]/ARCH[/VARIANT]",
    summary: "only this platform of an index, or the best that runs there; default: all of them",
    completes: ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "linux/ppc64le", "windows/amd64"],
  },
  "all-platforms": { summary: "every platform of an index, whatever the settings say" },
  "with-referrers": { summary: "what refers to the image too: signatures, attestations" },
  "max-unpacked": { value: "SIZE", summary: "bytes that may come of archives that are unpacked; default 100GiB" },
  force: { summary: "replace files, and images of an archive, that are there with other content" },
  concurrency: { value: "N", summary: "blobs moved at once" },
} as const satisfies Options;

/** Of a command whose destination may be local. */
export const offlineOption = {
  offline: { summary: "ask no registry: take what the cache has under the name; the destination is then local" },
} as const satisfies Options;

export const afterInterruptedMove = "what has been fetched is kept, and the same command goes on from there";
