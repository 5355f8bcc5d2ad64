import { type Cancellable, isRecord, parseJsonDocument, type TagPage } from "@mote/core";
import { collectDocument } from "../http/content-coding.js";
import { linkTarget } from "../http/link-header.js";
import { protocolError } from "../reports/protocol-error.js";
import { namingSubject } from "../reports/subject.js";
import type { RepositoryApi } from "../repository-api.js";
import { isTagName } from "../repository-location.js";

const maxPageBytes = 16 * 1024 * 1024;

export interface TagPageOptions extends Cancellable {
  /** List tags after this one. */
  readonly after?: string | undefined;
  /** Default: the registry's. */
  readonly limit?: number | undefined;
}

/** Lists one page of a repository's tags (distribution-spec, "Listing Tags"). @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE · MOTE_REGISTRY */
export function listTagPage(api: RepositoryApi, { after, limit, signal }: TagPageOptions): Promise<TagPage> {
  const path = api.url("tags/list");
  if (limit !== undefined) path.searchParams.set("n", String(limit));
  if (after !== undefined) path.searchParams.set("last", after);
  const what = "tags";
  return api.send({ method: "GET", path, what, signal }, async (response) => {
    const subject = api.subject();
    const bytes = await namingSubject(
      subject,
      collectDocument(response, { maxBytes: maxPageBytes, what, digests: [] }),
    );
    const tags = readTags(bytes);
    if (tags === undefined) throw protocolError(subject, "its list of tags is not valid");
    return { tags, hasMore: linkTarget(response.headers("link"), "next") !== undefined };
  });
}

/** An empty list may be null. */
function readTags(bytes: Uint8Array): string[] | undefined {
  let body: unknown;
  try {
    body = parseJsonDocument(bytes);
  } catch {
    return undefined;
  }
  if (!isRecord(body)) return undefined;
  const tags = body.tags ?? [];
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string" && isTagName(tag)) : undefined;
}
