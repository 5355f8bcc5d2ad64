import { command } from "../input/command.js";

const orders = ["name", "semver", "time"];

export const tags = command({
  name: "tags",
  group: "Inspect",
  summary: "List the tags of a repository, or the names in a layout or an archive",
  description: [
    "A pattern of --filter matches a complete tag: `*` any characters, `?` one, `[a-z]` one of a set, `{a,b}` either. One that begins with `!` excludes what it matches.",
    "Sorted by name, or with --sort semver the highest version first, or with --sort time the image that was created last first. The latter reads the config of every selected tag.",
  ],
  arguments: {
    repository: { summary: "a repository, such as HOST/NAME, oci:DIR or an archive", completes: "reference" },
  },
  options: {
    filter: {
      value: "GLOB",
      many: true,
      summary: "list only tags that match, or not those after `!`; may be repeated",
    },
    sort: { value: "KEY", summary: `sort by ${orders.join(", ")} (default name)`, completes: orders },
    limit: { value: "N", summary: "list at most N tags, after sorting" },
    offline: { summary: "contact no registry: list what the cache has of the repository" },
  },
  examples: [
    { line: "mote tags docker.io/library/alpine", does: "List all tags" },
    {
      line: "mote tags ghcr.io/acme/app --filter 'v1.*' --filter '!*-rc*' --sort semver --limit 3",
      does: "List the three highest releases of version 1",
    },
    { line: "mote tags oci-archive:images.tar --json | jq -r '.tags[]'", does: "List the names in an archive" },
  ],
  reachesRegistries: true,
  run: async (context, { repository }, options) =>
    (await import("../commands/tags.js")).tags(context, repository, options),
});
