import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestBytes,
  isTagName,
  type Manifest,
  manifestChildren,
  maxManifestBytes,
  mediaTypes,
  parseManifest,
  writeMote,
} from "@mote/core";
import { checkDigest } from "../routing/checks.js";
import { type ApiResponse, ErrorResponse } from "../routing/response.js";
import type { RoutedRequest } from "../routing/router.js";
import type { ServedContent } from "../served-content.js";
import type { WriteRequest } from "./local-repository.js";
import type { PushCache } from "./push-cache.js";
import { readBody } from "./received-bytes.js";

/** The maximum number of tags that one request may set. */
const maxTags = 100;
/** The maximum number of missing digests that an error response names. */
const maxNamed = 20;

/** Receives manifests (distribution-spec, "Pushing Manifests"). A manifest is stored, and a tag is set, only if its content is there. */
export function manifestPushes(content: ServedContent, cache: PushCache) {
  async function put(routed: WriteRequest): Promise<ApiResponse> {
    const { name, reference, request, repository } = routed;
    const target = parseTarget(routed);
    const bytes = await readBody(request, maxManifestBytes);
    const digest = digestBytes(bytes, target.digest && digestAlgorithm(target.digest));
    if (target.digest !== undefined && target.digest !== digest) {
      throw new ErrorResponse(400, "DIGEST_INVALID", `the manifest has the digest ${digest}`, { detail: { digest } });
    }
    const manifest = parsePushed(bytes, request.header("content-type"));
    const { mediaType, subject } = manifest;
    await content.leases.hold(digest, mediaType, bytes);
    await checkChildren(repository, manifest);
    await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
    await cache.membership.record(repository, digest);
    for (const tag of target.tags) {
      await content.tags.tag(`${repository}:${tag}`, { digest, mediaType, size: bytes.byteLength });
    }
    const headers = {
      location: `/v2/${name}/manifests/${reference}`,
      "docker-content-digest": digest,
      "content-length": "0",
      ...(subject === undefined ? {} : { "oci-subject": subject.digest }),
      ...(target.digest === undefined || target.tags.length === 0 ? {} : { "oci-tag": target.tags.join(", ") }),
    };
    return { status: 201, headers };
  }

  /** Everything but the subject and foreign layers must be in the repository. @throws ErrorResponse 404 */
  async function checkChildren(repository: string, manifest: Manifest): Promise<void> {
    const { manifests, blobs } = manifestChildren(manifest);
    const missing: Digest[] = [];
    for (const child of [...manifests, ...blobs]) {
      if (!(await has(repository, child))) missing.push(child.digest);
    }
    if (missing.length === 0) return;
    const errors = missing.slice(0, maxNamed).map((digest) => ({ digest }));
    throw new ErrorResponse(
      404,
      "MANIFEST_BLOB_UNKNOWN",
      `the repository does not have ${missing.length} blobs or manifests that the manifest refers to; push them first`,
      { detail: errors },
    );
  }

  async function has(repository: string, { digest, size }: Descriptor): Promise<boolean> {
    const info = (await content.contents.has(repository, digest)) ? await cache.find(digest) : undefined;
    if (info === undefined || info.size === size) return info !== undefined;
    throw new ErrorResponse(400, "MANIFEST_INVALID", "the manifest refers to content with a wrong size", {
      detail: { digest, size, actual: info.size },
    });
  }

  return { put };
}

/** Reads where a manifest is pushed to: a tag, or a digest with any number of tags in the query. */
function parseTarget({ reference, query, name }: RoutedRequest): {
  digest: Digest | undefined;
  tags: readonly string[];
} {
  const digest = reference.includes(":") ? checkDigest(reference) : undefined;
  const tags = digest === undefined ? [reference] : [...new Set(query.getAll("tag"))];
  if (tags.length > maxTags) throw new ErrorResponse(414, "UNSUPPORTED", `the request has more than ${maxTags} tags`);
  if (tags.every(isTagName)) return { digest, tags };
  throw new ErrorResponse(400, "MANIFEST_INVALID", "the tag is not valid; use up to 128 letters, digits and _ . -", {
    detail: { name, reference },
  });
}

/** @throws MOTE_INVALID_MANIFEST · ErrorResponse 400 if the media type in the header is another one */
function parsePushed(bytes: Uint8Array, contentType: string | undefined): Manifest {
  const [given = ""] = (contentType ?? "").split(";").map((part) => part.trim().toLowerCase());
  const manifest = parseManifest(bytes, given === "" ? undefined : given);
  if (manifest.kind === "manifest" && manifest.config === undefined && manifest.mediaType !== mediaTypes.ociArtifact) {
    throw new ErrorResponse(400, "MANIFEST_INVALID", "the image manifest has no config");
  }
  if (given === "" || given === manifest.mediaType) return manifest;
  throw new ErrorResponse(
    400,
    "MANIFEST_INVALID",
    `Content-Type is ${given.slice(0, 100)}, but the manifest is ${manifest.mediaType}`,
  );
}
