import type { Context } from "../context.js";
import { UsageError } from "../input/usage-error.js";
import { openCache } from "../wire.js";

interface TagsOptions {
  readonly filter?: readonly string[];
  readonly sort?: string;
  readonly limit?: string;
  readonly offline: boolean;
}

export async function tags(context: Context, repository: string, options: TagsOptions): Promise<void> {
  const { out, signal } = context;
  const { filter, offline } = options;
  const [sort, limit] = [sortOf(options.sort), limitOf(options.limit)];
  await using mote = await openCache(context, { readOnly: true, cacheOptional: true, offline });
  const found = await mote.listTags(repository, { filter, sort, limit, signal });
  if (found.tags.length === 0) {
    out.note(
      filter === undefined ? `${found.repository} has no tags` : `no tag of ${found.repository} matches --filter`,
    );
  }
  out.result(found, found.tags);
}

function sortOf(text = "name"): "name" | "semver" | "time" {
  if (text === "name" || text === "semver" || text === "time") return text;
  throw new UsageError(`--sort ${text} is not valid; use name, semver or time`);
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined || /^[1-9]\d{0,8}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new UsageError(`--limit ${text} is not valid; use a number from 1`);
}
