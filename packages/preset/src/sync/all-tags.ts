import { type Cancellable, MoteError, type RegistryRef, type TagPage } from "@mote/core";
import type { Endpoints } from "../endpoints/endpoints.js";

const pageEntries = 1000;
const maxTags = 1_000_000;
/** A registry may put fewer tags on a page than it is asked for, but not so few that the list has no end. */
const maxPages = 10_000;

/** Lists all tags of a repository. @throws MOTE_REGISTRY if its pages do not advance · MOTE_TOO_LARGE, and as `page` */
export async function allTags(
  page: (options: Cancellable & { readonly after?: string; readonly limit: number }) => Promise<TagPage>,
  { signal, name }: Cancellable & { readonly name: string },
): Promise<readonly string[]> {
  const found = new Set<string>();
  let after: string | undefined;
  for (let pages = 1; ; pages++) {
    const { tags, hasMore } = await page({ limit: pageEntries, signal, ...(after === undefined ? {} : { after }) });
    const before = found.size;
    for (const tag of tags) found.add(tag);
    after = tags.at(-1);
    if (!hasMore) return [...found];
    if (found.size === before || after === undefined) {
      const message = `cannot list the tags of ${name}: the registry repeats a page; contact its operator`;
      throw new MoteError("MOTE_REGISTRY", message, { details: { repository: name } });
    }
    if (found.size > maxTags || pages === maxPages) {
      const limit = pages === maxPages ? `${maxPages} pages of tags` : `${maxTags} tags`;
      throw new MoteError("MOTE_TOO_LARGE", `${name} has more than ${limit}; list the images in a file`, {
        details: { repository: name, maxTags, maxPages },
      });
    }
  }
}

/** Lists all tags of a repository of a registry. @throws as `allTags` */
export async function tagsOfRepository(
  endpoints: Endpoints,
  ref: RegistryRef,
  { signal }: Cancellable,
): Promise<readonly string[]> {
  const repository = await endpoints.repository(ref);
  return allTags((page) => repository.tags(page), { signal, name: `${ref.registry}/${ref.repository}` });
}
