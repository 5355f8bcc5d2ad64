import type { Context } from "../context.js";
import { countFromOne } from "../output/quantity.js";
import { openCache } from "../wire.js";

interface TagsOptions {
  readonly filter?: readonly string[];
  readonly sort?: "name" | "semver" | "time";
  readonly limit?: string;
  readonly offline: boolean;
}

export async function tags(context: Context, repository: string, options: TagsOptions): Promise<void> {
  const { out, signal } = context;
  const { filter, offline, sort } = options;
  const limit = options.limit === undefined ? undefined : countFromOne("--limit", options.limit);
  await using mote = await openCache(context, { readOnly: true, cacheOptional: true, offline });
  const found = await mote.listTags(repository, { filter, sort, limit, signal });
  if (found.tags.length === 0) {
    out.note(
      filter === undefined ? `${found.repository} has no tags` : `no tag of ${found.repository} matches --filter`,
    );
  }
  out.result(found, found.tags);
}
