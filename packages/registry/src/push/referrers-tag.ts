import {
  type CallOptions,
  type Descriptor,
  type Digest,
  describeReferrer,
  hasCode,
  type Manifest,
  mediaTypes,
  referrersTag,
} from "@mote/core";
import { isIndex, readIndex, readReferrersTag } from "../pull/referrers-index.js";
import type { RepositoryApi } from "../repository-api.js";
/**
 * Adds a manifest to its subject's tag index, if the registry has no referrers API (distribution-spec, "Pushing Manifests with Subject").
 * Concurrent updates may lose an entry.
 */
export async function addTaggedReferrer(
  api: RepositoryApi,
  subject: Digest,
  descriptor: Descriptor,
  manifest: Manifest,
  options: CallOptions,
): Promise<void> {
  const known = (await readReferrersTag(api, subject, { ...options, actions: "pull,push" })) ?? [];
  if (known.some(({ digest }) => digest === descriptor.digest)) return;
  const manifests = [...known, describeReferrer(descriptor, manifest)];
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  const tag = referrersTag(subject);
  await api.send(
    {
      method: "PUT",
      path: `manifests/${tag}`,
      what: `tag ${tag}`,
      headers: { "content-type": mediaTypes.ociIndex },
      body: new TextEncoder().encode(JSON.stringify(index)),
      reference: tag,
      actions: "pull,push",
      ...options,
    },
    (response) => response.discard(),
  );
}

/** Returns whether the registry lists referrers itself; false also after an error. */
export async function hasReferrersApi(
  api: RepositoryApi,
  subject: Digest,
  { signal, onEvent }: CallOptions,
): Promise<boolean> {
  const request = { what: `referrers of ${subject}`, digest: subject, actions: "pull,push", signal, onEvent } as const;
  try {
    return isIndex(await readIndex(api, { path: `referrers/${subject}`, ...request }));
  } catch (error) {
    if (hasCode(error, "MOTE_REGISTRY")) return false;
    throw error;
  }
}
