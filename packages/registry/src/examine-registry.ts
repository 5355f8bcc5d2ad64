import type { Cancellable } from "@mote/core";
import { askForApi } from "./ask-for-api.js";
import type { CredentialSource } from "./auth/credentials.js";
import { RegistryClient, type RegistryClientOptions } from "./client.js";
import type { RepositoryLocation } from "./repository-location.js";

export interface RegistryFindings {
  /** As references name it. */
  readonly registry: string;
  /** Where its API is. */
  readonly origin: string;
  /** Whether it wanted credentials, and whether there were any to show. */
  readonly wantsCredentials: boolean;
  readonly hadCredentials: boolean;
  readonly durationMs: number;
}

/**
 * Asks a registry for its API as a pull would, with the credentials that are kept for it (distribution-spec, "Determining Support").
 * @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_REGISTRY · MOTE_UNREACHABLE · MOTE_TIMEOUT ·
 *   MOTE_CONFIG · MOTE_INVALID_REFERENCE
 */
export async function examineRegistry(
  place: Omit<RepositoryLocation, "repository">,
  credentials: CredentialSource,
  options: Omit<RegistryClientOptions, "credentials"> & Cancellable = {},
): Promise<RegistryFindings> {
  const { registry } = place;
  const { signal, ...clientOptions } = options;
  let [wantsCredentials, hadCredentials] = [false, false];
  const watched: CredentialSource = {
    async get(...asked) {
      wantsCredentials = true;
      const found = await credentials.get(...asked);
      hadCredentials = found !== undefined;
      return found;
    },
  };
  const startMs = performance.now();
  await using client = new RegistryClient({ ...clientOptions, credentials: watched });
  const origin = await askForApi(client, place, { signal });
  const durationMs = performance.now() - startMs;
  return { registry, origin: origin.origin, wantsCredentials, hadCredentials, durationMs };
}
