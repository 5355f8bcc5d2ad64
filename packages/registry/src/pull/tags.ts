import { type ListOptions, parseJsonRecord, type TagPage } from "@mote/core";
import { collectDocument } from "../http/content-coding.js";
import { linkTarget } from "../http/link-header.js";
import type { RegistryResponse } from "../registry-request.js";
import { protocolError } from "../reports/protocol-error.js";
import { namingSubject, type Subject } from "../reports/subject.js";
import type { RepositoryApi } from "../repository-api.js";
import { isTagName } from "../repository-location.js";

/** Distribution and Amazon ECR reject a larger `n`. */
const maxPageEntries = 1000;
const maxPageBytes = 16 * 1024 * 1024;

/** Lists one page of a repository's tags (distribution-spec, "Listing Tags"). @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE · MOTE_REGISTRY */
export function listTagPage(api: RepositoryApi, { after, limit, signal }: ListOptions): Promise<TagPage> {
  const path = api.url("tags/list");
  setPage(path, { after, limit });
  return api.send({ method: "GET", path, what: "tags", signal }, async (response) => ({
    tags: await readNameList(response, api.subject(), "tags", isTagName),
    hasMore: linkTarget(response.headers("link"), "next") !== undefined,
  }));
}

/** Sets which page of a list a request asks for. A page may be shorter than `limit`. */
export function setPage({ searchParams }: URL, { after, limit }: ListOptions): void {
  if (limit !== undefined) searchParams.set("n", String(Math.min(limit, maxPageEntries)));
  if (after !== undefined) searchParams.set("last", after);
}

/** Reads a list of names below this key of a JSON document. Names that are not valid are left out. An empty list may be null. */
export async function readNameList(
  response: RegistryResponse,
  subject: Subject,
  key: "tags" | "repositories",
  isName: (text: string) => boolean,
): Promise<string[]> {
  const bytes = await namingSubject(
    subject,
    collectDocument(response, { maxBytes: maxPageBytes, what: key, digests: [] }),
  );
  const body = parseJsonRecord(bytes);
  const names = body && (body[key] ?? []);
  if (!Array.isArray(names)) throw protocolError(subject, `its list of ${key} is not valid`);
  return names.filter((name: unknown): name is string => typeof name === "string" && isName(name));
}
