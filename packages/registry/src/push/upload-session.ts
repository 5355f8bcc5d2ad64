import type { Digest } from "@mote/core";
import type { RegistryResponse } from "../registry-request.js";
import type { RepositoryApi } from "../repository-api.js";

/** Where an upload continues. */
export interface UploadSession {
  readonly url: URL;
  /** The upload is on another host than the registry: no credentials are sent. */
  readonly crossOrigin: boolean;
}

/** Returns where the response continues the upload; undefined if it does not, or names the blob itself. */
export function uploadSession(api: RepositoryApi, response: RegistryResponse): UploadSession | undefined {
  const location = response.header("location");
  if (location === undefined) return undefined;
  const url = api.follow(location, response.url);
  if (/\/blobs\/[a-z0-9+._-]+(?::|%3a)[0-9a-f]{32,}$/i.test(url.pathname)) return undefined;
  return { url, crossOrigin: response.redirectedTo !== undefined };
}

/** As `uploadSession`, for the first response: without `Location`, uses the upload's id. */
export function newSession(api: RepositoryApi, response: RegistryResponse): UploadSession | undefined {
  const session = uploadSession(api, response);
  const id = response.header("docker-upload-uuid");
  if (session !== undefined || id === undefined || response.redirectedTo !== undefined) return session;
  return { url: api.url(`blobs/uploads/${encodeURIComponent(id)}`), crossOrigin: false };
}

/** Returns the URL to close the upload. The registry's own parameters are kept as they are. */
export function closingUrl({ url }: UploadSession, digest: Digest): URL {
  const closing = new URL(url);
  closing.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return closing;
}

/** Time limit for cancelling an upload. Registries remove old uploads anyway. */
const cancelMs = 1_000;

/** Requests that the registry cancel an upload. Never rejects. */
export async function cancelUpload(api: RepositoryApi, { url, crossOrigin }: UploadSession): Promise<void> {
  const request = { method: "DELETE", path: url, what: "an upload", actions: "pull,push", repeat: false } as const;
  const options = { crossOrigin, signal: AbortSignal.timeout(cancelMs), accepts: () => true };
  await api.send({ ...request, ...options }, (response) => response.discard()).catch(() => {});
}
