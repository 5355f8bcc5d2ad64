import {
  type Cancellable,
  type Descriptor,
  type Digest,
  findReferrers,
  hasCode,
  type MoteSource,
  mediaTypes,
  readManifest,
} from "@mote/core";
import { checkDigest, unknownName } from "../routing/checks.js";
import { staleWarning } from "../routing/conditions.js";
import { type ApiResponse, jsonResponse } from "../routing/response.js";
import type { RoutedRequest } from "../routing/router.js";
import type { ServedContent } from "../served-content.js";

/** Responds to `GET /v2/<name>/referrers/<digest>`: with those of the upstream and the stored ones. */
export async function referrers(content: ServedContent, routed: RoutedRequest): Promise<ApiResponse> {
  const { source, repositories, contents, upstreams } = content;
  const { name, reference, namespace, query, request } = routed;
  const { signal } = request;
  const subject = checkDigest(reference);
  const upstream = upstreams?.repository(name, namespace);
  const repository = upstream?.full ?? (await repositories.resolve(name, namespace));
  if (repository === undefined && namespace !== undefined) throw unknownName(name);
  const listed =
    upstream && (await upstreams?.list(upstream.upstream, (from) => from.referrers(upstream, subject, { signal })));
  // 404 would mean that there is no referrers API (distribution-spec, "Listing Referrers").
  const roots = repository === undefined ? [] : await contents.referrers(repository, subject);
  const stored = await listReferrers(source, roots, subject, { signal });
  const isStale = listed !== undefined && "failure" in listed;
  if (isStale && listed.failure !== undefined && stored.length === 0) throw listed.failure;
  const all = new Map(stored.map((one) => [one.digest, one]));
  // The upstream's descriptors may have annotations that the manifests themselves do not have.
  if (listed !== undefined && "result" in listed) for (const one of listed.result) all.set(one.digest, one);
  const wanted = query.get("artifactType");
  const manifests = [...all.values()].filter(({ artifactType }) => wanted === null || artifactType === wanted);
  return jsonResponse(
    200,
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
    {
      "content-type": mediaTypes.ociIndex,
      ...(wanted === null ? {} : { "oci-filters-applied": "artifactType" }),
      ...(isStale ? { warning: staleWarning } : {}),
    },
  );
}

/** Lists the stored manifests among `roots` that refer to `subject`. @throws MOTE_TOO_LARGE with the limit */
async function listReferrers(
  source: MoteSource,
  roots: readonly Descriptor[],
  subject: Digest,
  options: Cancellable,
): Promise<readonly Descriptor[]> {
  const read = async (descriptor: Descriptor) => {
    try {
      return await readManifest(source, descriptor, { ...options, countsAsUse: false });
    } catch (error) {
      if (hasCode(error, "MOTE_NOT_FOUND", "MOTE_INVALID_MANIFEST")) return undefined;
      throw error;
    }
  };
  return (await findReferrers(roots, read, subject)).get(subject) ?? [];
}
