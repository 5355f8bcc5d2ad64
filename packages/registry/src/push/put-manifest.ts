import {
  type CallOptions,
  type Descriptor,
  type Digest,
  detailOf,
  digestAlgorithm,
  isDigest,
  MoteError,
} from "@mote/core";
import { delayWithin } from "../http/retry.js";
import { sleep } from "../http/waiting.js";
import { subjectName } from "../reports/subject.js";
import type { RepositoryApi } from "../repository-api.js";
import { findManifest, hashManifest } from "./presence.js";

/** Retries when the registry misses content that a manifest names: Nexus may not find it immediately after the upload. */
const mostUnknown = 2;

/**
 * Pushes a manifest. Returns whether the registry lists it as a referrer (`OCI-Subject`).
 * @throws MOTE_DIGEST_MISMATCH if the registry stored other bytes
 */
export async function putManifest(
  api: RepositoryApi,
  reference: string,
  descriptor: Descriptor,
  bytes: Uint8Array,
  options: CallOptions,
): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await putOnce(api, reference, descriptor, bytes, options);
    } catch (error) {
      if (!isAboutContent(error) || attempt > mostUnknown) throw error;
      const { policy } = api.client;
      const delayMs = delayWithin(policy, attempt);
      if (delayMs === undefined) throw error;
      const about = {
        ...api.subject(descriptor),
        host: api.url("").host,
        retries: Math.min(mostUnknown, policy.retries),
      };
      api.client.report({ type: "retry", ...about, attempt, delayMs, reason: String(statusOf(error)) }, options);
      await sleep(delayMs, options.signal);
    }
  }
}

function putOnce(
  api: RepositoryApi,
  reference: string,
  { digest, mediaType }: Descriptor,
  bytes: Uint8Array,
  { signal, onEvent }: CallOptions,
): Promise<boolean> {
  const what = reference === digest ? `manifest ${digest}` : `tag ${reference}`;
  const headers = { "content-type": mediaType };
  const request = { method: "PUT", path: `manifests/${reference}`, what, headers, body: bytes } as const;
  return api.send({ ...request, digest, reference, actions: "pull,push", signal, onEvent }, (response) => {
    response.discard();
    const said = response.header("docker-content-digest");
    if (isDigest(said) && digestAlgorithm(said) === digestAlgorithm(digest) && said !== digest) {
      throw storedAsOther(api, digest, said);
    }
    return response.header("oci-subject") !== undefined;
  });
}

/**
 * Sets a tag, unless it already names the manifest. Returns as `putManifest`; false if nothing was sent. @param isTaken whether the
 * registry accepts the manifest itself, so that an error is about the tag @throws MOTE_EXISTS if the tag is immutable
 */
export async function putTag(
  api: RepositoryApi,
  tag: string,
  descriptor: Descriptor,
  { load, isTaken }: { readonly load: () => Promise<Uint8Array>; readonly isTaken: () => Promise<boolean> },
  { signal, onEvent }: CallOptions,
): Promise<boolean> {
  const { digest } = descriptor;
  const options = { actions: "pull,push", signal, onEvent } as const;
  if ((await findManifest(api, tag, digest, options)) === digest) return false;
  const bytes = await load();
  try {
    return await putManifest(api, tag, descriptor, bytes, { signal, onEvent });
  } catch (error) {
    if (!MoteError.isInstance(error) || !isClientError(statusOf(error))) throw error;
    // Another client may have set the tag, or a HEAD response may have had a wrong digest.
    const actual = await hashManifest(api, tag, digest, options);
    if (actual === digest) return false;
    if (actual !== undefined && (await isAboutTag(error, isTaken))) {
      throw immutableTag(api, tag, digest, actual, error);
    }
    throw error;
  }
}

export function storedAsOther(api: RepositoryApi, digest: Digest, actual: Digest): MoteError {
  return new MoteError("MOTE_DIGEST_MISMATCH", `${api.registry} stored ${digest} of ${api.repository} as ${actual}`, {
    details: { ...api.subject({ digest }), actual },
  });
}

function immutableTag(api: RepositoryApi, tag: string, digest: Digest, actual: Digest, cause: MoteError): MoteError {
  const subject = api.subject({ digest, reference: tag });
  return new MoteError(
    "MOTE_EXISTS",
    `cannot set the tag ${subjectName(subject)}:${tag} to ${digest}: it points to ${actual}, and the registry does not allow changing it (${cause.message}); use another tag, or allow tags to be overwritten there`,
    { cause, details: { ...subject, ...cause.details, actual, isReplaceable: false } },
  );
}

/**
 * Whether the tag is immutable. ECR: 400 TAG_INVALID "the repository is immutable"; Google: 400 "has enabled tag
 * immutability"; Harbor: 412; Nexus: 400 "does not allow updating assets"; Azure: 405; Artifactory: 403, which may also mean no permission.
 */
async function isAboutTag(error: MoteError, isTaken: () => Promise<boolean>): Promise<boolean> {
  const status = statusOf(error);
  if (status === 409 || status === 412) return true;
  if (/immutab|overwrit|already exists|redeploy|not allow(?:ed)? updat|cannot be updated|locked/i.test(error.message))
    return true;
  return (status === 403 || status === 405) && (await isTaken());
}

function isAboutContent(error: unknown): error is MoteError {
  if (!MoteError.isInstance(error)) return false;
  const status = statusOf(error);
  return (status === 400 || status === 404) && /\b(?:MANIFEST_)?BLOB_UNKNOWN\b/.test(error.message);
}

function isClientError(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500 && status !== 401 && status !== 429;
}

function statusOf(error: MoteError): number | undefined {
  const status = detailOf(error, "status");
  return typeof status === "number" ? status : undefined;
}
