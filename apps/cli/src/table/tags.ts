import { command } from "../input/command.js";

const orders = ["name", "semver", "time"] as const;

export const tags = command({
  name: "tags",
  group: "Inspect",
  summary: "List the tags of a repository, or the names in a layout or an archive",
  description: [
    "A pattern of --filter matches a complete tag: `*` matches any characters, `?` one character, `[a-z]` one of a set, `{a,b}` either. A pattern that begins with `!` excludes tags.",
    "Tags are sorted by name, with --sort semver from the highest version down, with --sort time from the most recently created image back. --sort time reads the config of every selected tag.",
  ],
  arguments: {
    repository: { summary: "a repository, such as HOST/NAME, oci:DIR or an archive", completes: "reference" },
  },
  options: {
    filter: {
      value: "GLOB",
      many: true,
      summary: "list only tags that match; `!GLOB` excludes tags; repeatable",
    },
    sort: { value: "KEY", summary: `sort by ${orders.join(", ")} (default name)`, choices: orders },
    limit: { value: "N", summary: "list at most N tags, after sorting" },
    offline: { summary: "contact no registry: list the cached tags of the repository" },
  },
  examples: [
    { line: "mote tags docker.io/library/alpine", does: "List all tags" },
    {
      line: "mote tags ghcr.io/acme/app --filter 'v1.*' --filter '!*-rc*' --sort semver --limit 3",
      does: "List the three highest 1.x releases",
    },
    { line: "mote tags oci-archive:images.tar --json | jq -r '.tags[]'", does: "List the names in an archive" },
  ],
  reachesRegistries: true,
  run: async (context, { repository }, options) =>
    (await import("../commands/tags.js")).tags(context, repository, options),
});
