import {
  type CallOptions,
  cosignTags,
  type Descriptor,
  type Digest,
  MoteError,
  type ReferrerSummary,
  referrersTag,
} from "@mote/core";
import type { RepositoryApi } from "../repository-api.js";
import { findTag } from "./cosign-tags.js";
import { listReferrers } from "./referrers.js";
import { readReferrersTag } from "./referrers-index.js";
import { listTagPage } from "./tags.js";

/** Tags in the page that is requested. */
const maxTags = 1000;

/**
 * Returns the referrers of a manifest, and whether cosign's signature tag exists, in two requests. Without the referrers API, a list of the
 * tags tells which of all these tags exist; the referrers tag, if it exists, is one more request.
 */
export async function summarizeReferrers(
  api: RepositoryApi,
  subject: Digest,
  options: CallOptions,
): Promise<ReferrerSummary> {
  let listed: ReadonlySet<string> | undefined;
  const withoutApi = async () => {
    listed = await allTags(api, options);
    if (listed !== undefined && !listed.has(referrersTag(subject))) return [];
    return readReferrersTag(api, subject, { ...options, actions: "pull" });
  };
  const referrers: Descriptor[] = [];
  for await (const one of listReferrers(api, subject, { ...options, withoutApi })) referrers.push(one);
  const known = listed;
  if (known !== undefined) return { referrers, tags: cosignTags(subject).filter((tag) => known.has(tag)) };
  const signature = cosignTags(subject).slice(0, 1);
  const isThere = await Promise.all(signature.map((tag) => findTag(api, tag, options)));
  return { referrers, tags: signature.filter((_, at) => isThere[at] !== undefined) };
}

/** Returns all tags; undefined if there are more than one page, or the registry does not list them. */
async function allTags(api: RepositoryApi, options: CallOptions): Promise<ReadonlySet<string> | undefined> {
  try {
    const { tags, hasMore } = await listTagPage(api, { ...options, limit: maxTags });
    return hasMore ? undefined : new Set(tags);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (MoteError.isInstance(error)) return undefined;
    throw error;
  }
}
