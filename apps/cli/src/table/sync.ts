import { command } from "../input/command.js";
import { connectionsOption, deltaOption, movingOptions } from "./moving-options.js";

const { platform, concurrency } = movingOptions;

export const sync = command({
  name: "sync",
  group: "Transfer",
  summary: "Copy many images, each byte once",
  description: [
    "SRC is a list of images (a file, or - for stdin, with SRC or SRC NAME on each line and # for comments), a repository with all its tags, or all images of a layout or an archive. Below docker://HOST/PREFIX, an image keeps its repository and tag, or gets the NAME on its line; in oci:DIR and oci-archive:FILE, its name is its full reference.",
    "Blobs that images share are copied once, and blobs that the destination already has are not sent. A failed image does not stop the others: the report on stdout lists each image and what was done, stderr has a line for each failed image, and the exit status is 1 if any failed. A tag is set only when its image is complete, so an interrupted run can simply be repeated.",
    "With --without, an archive omits blobs that its recipient already has: those of an earlier archive, a layout, a file of digests, a mote bic export, or a registry (docker://HOST/PREFIX). When such an archive is synced, these blobs must be at the destination or in the cache; otherwise the command fails with the missing digests.",
  ],
  arguments: {
    src: { summary: "a list of images, a repository, a layout or an archive", completes: "reference" },
    dest: { summary: "the destination: docker://HOST[/PREFIX], oci:DIR or oci-archive:FILE", completes: "destination" },
  },
  options: {
    tags: {
      value: "GLOB",
      many: true,
      summary: "copy only tags that match; !GLOB excludes tags, such as 'v1.*' '!*-rc*'",
    },
    newest: { value: "N", summary: "copy only the newest N tags of a repository" },
    sort: {
      value: "KEY",
      summary: "how --newest orders tags: by version or by time (default version)",
      choices: ["version", "time", "semver"],
      completes: ["version", "time"],
    },
    rename: {
      value: "PREFIX=NAME",
      many: true,
      summary: "replace the beginning of names, such as docker.io/library=base; the longest match wins",
    },
    without: {
      value: "HAVE",
      many: true,
      summary: "into an archive: omit blobs that this archive, layout, file or registry has",
      completes: "file",
    },
    split: {
      value: "SIZE",
      summary: "split the archive into parts of at most this size, with checksums; replaces earlier parts",
    },
    platform,
    "all-platforms": movingOptions["all-platforms"],
    "with-referrers": movingOptions["with-referrers"],
    ...deltaOption,
    force: { summary: "replace a file that is not an archive" },
    "dry-run": { summary: "report what would be copied and removed, and change nothing" },
    delete: {
      summary:
        "remove tags at the destination that match --tags and are not in the source; requires --yes or --dry-run",
    },
    yes: { short: "y", summary: "confirm the removals of --delete" },
    junit: { value: "FILE", summary: "write the report as JUnit XML, for CI", completes: "file" },
    "limit-rate": movingOptions["limit-rate"],
    "max-rate": { value: "[HOST=]SIZE", many: true, summary: "alias of --limit-rate" },
    "max-unpacked": movingOptions["max-unpacked"],
    concurrency,
    ...connectionsOption,
  },
  examples: [
    { line: "mote sync images.txt docker://registry.acme.dev/mirror", does: "Copy the images in a list to a registry" },
    {
      line: "mote sync docker://ghcr.io/acme/app docker://registry.acme.dev --tags 'v1.*' --tags '!*-rc*' --newest 5",
      does: "Copy the five newest releases of a repository",
    },
    {
      line: "mote sync images.txt oci-archive:june.tar --without oci-archive:may.tar",
      does: "Write an archive of what is not in an earlier one",
    },
    { line: "mote sync oci-archive:june.tar docker://registry.lan:5000", does: "Push all images in an archive" },
  ],
  reachesRegistries: true,
  afterInterrupt: "complete images have their names, and fetched content is kept; run the command again to resume",
  run: async (context, { src, dest }, options) =>
    (await import("../commands/sync.js")).sync(context, src, dest, options),
});
