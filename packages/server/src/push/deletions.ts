import { type Digest, isTagName, parseImageName } from "@mote/core";
import { checkDigest } from "../routing/checks.js";
import { type ApiResponse, ErrorResponse } from "../routing/response.js";
import type { ServedContent } from "../served-content.js";
import type { WriteRequest } from "./local-repository.js";
import type { PushCache } from "./push-cache.js";

const accepted: ApiResponse = { status: 202, headers: { "content-length": "0" } };

/**
 * Removes tags, manifests and blobs from a repository (distribution-spec, "Content Management"). Their bytes stay until `prune` needs the
 * space, because other repositories may have them.
 */
export function deletions(content: ServedContent, cache: PushCache) {
  /** Removes a tag, or with a digest a manifest and its tags. */
  async function manifest(routed: WriteRequest): Promise<ApiResponse> {
    const { reference, repository } = routed;
    const unknown = new ErrorResponse(404, "MANIFEST_UNKNOWN", "manifest not found in this repository", {
      detail: { name: routed.name, reference },
    });
    if (!reference.includes(":")) {
      if (!isTagName(reference) || !(await removeTag(`${repository}:${reference}`))) throw unknown;
      return accepted;
    }
    const digest = checkDigest(reference);
    if (!(await has(repository, digest))) throw unknown;
    await refuseIfReferred(repository, digest);
    await removeTags(repository, digest);
    await cache.membership.remove(repository, digest);
    return accepted;
  }

  async function blob(routed: WriteRequest): Promise<ApiResponse> {
    const { repository } = routed;
    const digest = checkDigest(routed.reference);
    if (!(await has(repository, digest))) {
      throw new ErrorResponse(404, "BLOB_UNKNOWN", "blob not found in this repository", { detail: { digest } });
    }
    await refuseIfReferred(repository, digest);
    await cache.membership.remove(repository, digest);
    return accepted;
  }

  async function has(repository: string, digest: Digest): Promise<boolean> {
    return (await content.contents.has(repository, digest)) && (await cache.moteExists(digest));
  }

  /** @throws ErrorResponse 405: no tag of the repository may lose a part of its image */
  async function refuseIfReferred(repository: string, digest: Digest): Promise<void> {
    const parent = await content.contents.parent(repository, digest);
    if (parent === undefined) return;
    const message = "a manifest of this repository refers to this content; delete that manifest first";
    throw new ErrorResponse(405, "UNSUPPORTED", message, {
      detail: { manifest: parent },
      headers: { allow: "GET, HEAD" },
    });
  }

  async function removeTag(name: string): Promise<boolean> {
    if ((await content.tags.resolve(name)) === undefined) return false;
    await content.tags.untag(name, { keepsMembership: true });
    return true;
  }

  async function removeTags(repository: string, digest: Digest): Promise<void> {
    for (const separator of [":", "@"]) {
      for await (const { name, descriptor } of content.tags.list({ prefix: `${repository}${separator}` })) {
        const isNamed = descriptor.digest === digest && parseImageName(name)?.repository.full === repository;
        if (isNamed) await removeTag(name);
      }
    }
  }

  return { manifest, blob };
}
