import { command } from "../input/command.js";
import { connectionsOption, deltaOption, movingOptions } from "./moving-options.js";

const { platform, concurrency } = movingOptions;

export const sync = command({
  name: "sync",
  group: "Transfer",
  summary: "Copy many images, each byte once",
  description: [
    "SRC is a list of images (a file, or - for stdin: SRC or SRC NAME in each line, # starts a comment), all tags of a repository, or all images of a layout or an archive. Below docker://HOST/PREFIX, an image keeps its repository and tag, or gets the NAME of its line; in oci:DIR and oci-archive:FILE it is named by its full reference.",
    "Blobs that images share are moved once, and what the destination has is not sent. A failed image does not stop the others: the report on stdout names each image and what was done, stderr has a line for each failed image, and the exit status is 1 if any failed. A tag is set when its image is complete, so an interrupted run can simply be repeated.",
    "With --without, an archive leaves out the blobs that its reader has: those of an earlier archive, a layout, a file of digests, an export of mote bic, or a registry (docker://HOST/PREFIX). Syncing such an archive takes them from the destination or the cache, and fails with the digests of those that are missing.",
  ],
  arguments: {
    src: { summary: "a list of images, a repository, a layout or an archive", completes: "reference" },
    dest: { summary: "the destination: docker://HOST[/PREFIX], oci:DIR or oci-archive:FILE", completes: "destination" },
  },
  options: {
    tags: {
      value: "GLOB",
      many: true,
      summary: "only these tags, and after a ! not these, such as 'v1.*' or '!*-rc*'",
    },
    newest: { value: "N", summary: "only the newest N of the tags of a repository" },
    sort: {
      value: "KEY",
      summary: "how --newest orders tags: by version or by time (default version)",
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
      summary: "into an archive: leave out what its reader has, according to this archive, layout, file or registry",
      completes: "file",
    },
    split: {
      value: "SIZE",
      summary: "write an archive in parts of at most this size, with checksums; replaces earlier parts",
    },
    platform,
    "all-platforms": movingOptions["all-platforms"],
    "with-referrers": movingOptions["with-referrers"],
    ...deltaOption,
    force: { summary: "replace a file that is not an archive" },
    "dry-run": { summary: "report what would be copied and removed, and change nothing" },
    delete: {
      summary: "remove what matches --tags at the destination and is not in the source; requires --yes or --dry-run",
    },
    yes: { short: "y", summary: "remove without asking" },
    junit: { value: "FILE", summary: "write the report as JUnit XML, for CI", completes: "file" },
    "limit-rate": movingOptions["limit-rate"],
    "max-rate": { value: "[HOST=]SIZE", many: true, summary: "the same as --limit-rate" },
    "max-unpacked": movingOptions["max-unpacked"],
    concurrency,
    ...connectionsOption,
  },
  examples: [
    { line: "mote sync images.txt docker://registry.acme.dev/mirror", does: "Copy the images of a list to a registry" },
    {
      line: "mote sync docker://ghcr.io/acme/app docker://registry.acme.dev --tags 'v1.*' --tags '!*-rc*' --newest 5",
      does: "Copy the newest five releases of a repository",
    },
    {
      line: "mote sync images.txt oci-archive:june.tar --without oci-archive:may.tar",
      does: "Write an archive of what has changed since an earlier one",
    },
    { line: "mote sync oci-archive:june.tar docker://registry.lan:5000", does: "Push all images of an archive" },
  ],
  reachesRegistries: true,
  afterInterrupt: "complete images have their names, and fetched content is kept; run the command again to resume",
  run: async (context, { src, dest }, options) =>
    (await import("../commands/sync.js")).sync(context, src, dest, options),
});
