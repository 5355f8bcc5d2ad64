import type { Reply, SimulatedRequest } from "./behaviour.js";
import { bytesReply, errorReply, jsonReply } from "./replies.js";
import { type Repositories, readJson, type StoredManifest, sha256 } from "./repositories.js";
import { replyToUpload } from "./uploads.js";

const indexType = "application/vnd.oci.image.index.v1+json";

/** Responds as the distribution specification requires. */
export function distributionApi(request: SimulatedRequest, repositories: Repositories): Reply {
  const { route } = request;
  switch (route.kind) {
    case "base":
      return jsonReply(200, {}, { "docker-distribution-api-version": "registry/2.0" });
    case "manifest":
      return replyToManifest(request, repositories, route);
    case "blob":
      return replyToBlob(request, repositories, route);
    case "uploads":
    case "upload":
      return replyToUpload(request, repositories);
    case "tags":
      return listTags(request, repositories, route.repository);
    case "referrers":
      return listReferrers(request, repositories, route);
    default:
      return errorReply(404, "NOT_FOUND");
  }
}

function replyToManifest(
  { method, headers, body }: SimulatedRequest,
  repositories: Repositories,
  { repository, reference }: { readonly repository: string; readonly reference: string },
): Reply {
  if (method === "PUT") {
    const isByDigest = reference.includes(":");
    if (isByDigest && sha256(body) !== reference) return errorReply(400, "DIGEST_INVALID");
    const missing = missingContent(body, repositories, repository);
    if (missing !== undefined) return errorReply(404, "MANIFEST_BLOB_UNKNOWN", `${missing} is unknown`);
    const type = headers["content-type"] ?? "application/octet-stream";
    const { digest } = repositories.addManifest(repository, body, type, isByDigest ? undefined : reference);
    const subject = subjectOf(body);
    return {
      status: 201,
      headers: {
        location: `/v2/${repository}/manifests/${digest}`,
        "docker-content-digest": digest,
        ...(subject === undefined ? {} : { "oci-subject": subject }),
      },
    };
  }
  const found = repositories.manifest(repository, reference);
  if (method === "DELETE") {
    const { manifests, tags } = repositories.get(repository);
    return tags.delete(reference) || manifests.delete(reference)
      ? { status: 202 }
      : errorReply(404, "MANIFEST_UNKNOWN");
  }
  if (found === undefined) return errorReply(404, "MANIFEST_UNKNOWN", `${reference} is unknown`);
  return {
    status: 200,
    headers: { "content-type": found.mediaType, "docker-content-digest": found.digest },
    body: found.bytes,
  };
}

function replyToBlob(
  request: SimulatedRequest,
  repositories: Repositories,
  { repository, digest }: { readonly repository: string; readonly digest: string },
): Reply {
  const bytes = repositories.get(repository).blobs.get(digest);
  if (bytes === undefined) return errorReply(404, "BLOB_UNKNOWN", `${digest} is unknown`);
  return bytesReply(request, bytes, { "docker-content-digest": digest });
}

/** Returns the digest of content that a manifest refers to and the repository does not have. */
function missingContent(body: Uint8Array, repositories: Repositories, repository: string): string | undefined {
  const { blobs, manifests } = repositories.get(repository);
  const { config, layers, manifests: children } = readJson(body);
  const named = (value: unknown) => digestsOf(Array.isArray(value) ? value : [value]);
  return (
    [...named(config), ...named(layers)].find((digest) => !blobs.has(digest)) ??
    // An index may list blobs, as build caches do, and Distribution accepts that.
    // https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/registry.go#L183
    named(children).find((digest) => !manifests.has(digest) && !blobs.has(digest))
  );
}

/** Returns the digests of the descriptors among these values. */
export function digestsOf(values: readonly unknown[]): string[] {
  return values.flatMap((value) => {
    const digest = typeof value === "object" && value !== null && "digest" in value ? value.digest : undefined;
    return typeof digest === "string" ? [digest] : [];
  });
}

export function subjectOf(bytes: Uint8Array): string | undefined {
  return digestsOf([readJson(bytes).subject])[0];
}

function listTags({ url }: SimulatedRequest, repositories: Repositories, repository: string): Reply {
  if (!repositories.has(repository)) return errorReply(404, "NAME_UNKNOWN");
  const all = [...repositories.get(repository).tags.keys()].sort();
  const last = url.searchParams.get("last");
  const rest = last === null ? all : all.filter((tag) => tag > last);
  const count = Number(url.searchParams.get("n") ?? rest.length);
  const tags = rest.slice(0, count);
  const next = tags.length < rest.length ? `/v2/${repository}/tags/list?n=${count}&last=${tags.at(-1)}` : undefined;
  const link = next === undefined ? {} : { link: `<${next}>; rel="next"` };
  return jsonReply(200, { name: repository, tags }, link);
}

function listReferrers(
  { url }: SimulatedRequest,
  repositories: Repositories,
  { repository, digest }: { readonly repository: string; readonly digest: string },
): Reply {
  const wanted = url.searchParams.get("artifactType");
  const referring = [...repositories.get(repository).manifests.values()].filter(
    (one) => subjectOf(one.bytes) === digest,
  );
  const all = referring.map(describe);
  const manifests = wanted === null ? all : all.filter(({ artifactType }) => artifactType === wanted);
  const filtered = wanted === null ? {} : { "oci-filters-applied": "artifactType" };
  return jsonReply(
    200,
    { schemaVersion: 2, mediaType: indexType, manifests },
    { "content-type": indexType, ...filtered },
  );
}

function describe({ digest, mediaType, bytes }: StoredManifest) {
  const { artifactType, config, annotations } = readJson(bytes);
  const configType =
    typeof config === "object" && config !== null && "mediaType" in config ? config.mediaType : undefined;
  return { mediaType, digest, size: bytes.byteLength, artifactType: artifactType ?? configType, annotations };
}
