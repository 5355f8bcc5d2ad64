import type { Digest } from "@mote/core";
import type { RegistryResponse } from "../registry-request.js";
import type { RepositoryApi } from "../repository-api.js";

/** Where an upload continues. */
export interface UploadSession {
  readonly url: URL;
  /** Another host than the registry gave it, so that nothing secret goes there. */
  readonly crossOrigin: boolean;
}

/** Returns where a response says that the upload continues; undefined if it does not, or names the blob itself. */
export function uploadSession(api: RepositoryApi, response: RegistryResponse): UploadSession | undefined {
  const location = response.header("location");
  if (location === undefined) return undefined;
  const url = api.follow(location, response.url);
  if (/\/blobs\/[a-z0-9+._-]+(?::|%3a)[0-9a-f]{32,}$/i.test(url.pathname)) return undefined;
  return { url, crossOrigin: response.redirectedTo !== undefined };
}

/** As `uploadSession`, for the response that begins an upload: where `Location` is missing, the upload's id tells. */
export function newSession(api: RepositoryApi, response: RegistryResponse): UploadSession | undefined {
  const session = uploadSession(api, response);
  const id = response.header("docker-upload-uuid");
  if (session !== undefined || id === undefined || response.redirectedTo !== undefined) return session;
  return { url: api.url(`blobs/uploads/${encodeURIComponent(id)}`), crossOrigin: false };
}

/** Returns where the upload is closed. The rest of the URL is the registry's own, and is left as it wrote it. */
export function closingUrl({ url }: UploadSession, digest: Digest): URL {
  const closing = new URL(url);
  closing.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return closing;
}

/** How long a registry may take to cancel an upload. Registries remove old uploads, so nothing is lost when it takes longer. */
const cancelMs = 1_000;

/** Asks the registry to cancel an upload. Never rejects. */
export async function cancelUpload(api: RepositoryApi, { url, crossOrigin }: UploadSession): Promise<void> {
  const request = { method: "DELETE", path: url, what: "an upload", actions: "pull,push", repeat: false } as const;
  const options = { crossOrigin, signal: AbortSignal.timeout(cancelMs), accepts: () => true };
  await api.send({ ...request, ...options }, (response) => response.discard()).catch(() => {});
}
