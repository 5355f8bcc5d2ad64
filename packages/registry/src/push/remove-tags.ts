import {
  type Cancellable,
  type Digest,
  ifFound,
  isIndexType,
  MoteError,
  manifestChildren,
  messageOf,
  parseManifest,
} from "@mote/core";
import type { RegistryClient } from "../client.js";
import { RegistryRepository } from "../pull/repository.js";
import { RepositoryApi } from "../repository-api.js";
import type { RepositoryLocation } from "../repository-location.js";

export interface RemoveTagsOptions extends Cancellable {
  /** The tags of the repository that stay. What they need is not removed. */
  readonly remaining: readonly string[];
}

/** Statuses of a registry that cannot delete a tag alone (distribution-spec, "Deleting tags"). */
const unsupported: ReadonlySet<number> = new Set([400, 404, 405, 501]);
const requestsAtOnce = 8;

/**
 * Removes tags of a repository. If the registry cannot delete a tag alone, its manifest is deleted, unless a remaining tag needs it. Returns why a
 * tag was not removed, by tag. @throws MOTE_UNAUTHORIZED · MOTE_UNREACHABLE · MOTE_TIMEOUT
 */
export async function removeTags(
  client: RegistryClient,
  location: RepositoryLocation,
  tags: readonly string[],
  { remaining, signal }: RemoveTagsOptions,
): Promise<ReadonlyMap<string, string>> {
  const api = new RepositoryApi(client, location);
  const repository = new RegistryRepository(client, location);
  const reasons = new Map<string, string>();
  let needed: ReadonlyMap<Digest, string> | undefined;
  for (const tag of tags) {
    try {
      const digest = (await ifFound(repository.resolve(tag, { signal })))?.digest;
      if (digest === undefined || (await removed(api, tag, { signal }))) continue;
      needed ??= await neededBy(repository, remaining, { signal });
      const by = needed.get(digest);
      if (by !== undefined)
        reasons.set(tag, `the registry cannot delete a tag alone, and ${by} needs its manifest ${digest}`);
      else if (!(await removed(api, digest, { signal })))
        reasons.set(tag, "the registry does not support deletion, or it is disabled there");
    } catch (error) {
      signal?.throwIfAborted();
      if (!MoteError.isInstance(error)) throw error;
      reasons.set(tag, messageOf(error));
    }
  }
  return reasons;
}

/** Returns false if the registry cannot delete this. */
function removed(api: RepositoryApi, reference: string, { signal }: Cancellable): Promise<boolean> {
  const what = `the deletion of ${reference}`;
  const accepts = (status: number) => (status >= 200 && status < 300) || unsupported.has(status);
  return api.send(
    { method: "DELETE", path: `manifests/${reference}`, what, reference, actions: "pull,push,delete", accepts, signal },
    (response) => {
      response.discard();
      return !unsupported.has(response.status);
    },
  );
}

/** Returns the manifests that tags stand for, and those below them, each with a tag that needs it. */
async function neededBy(
  repository: RegistryRepository,
  tags: readonly string[],
  options: Cancellable,
): Promise<ReadonlyMap<Digest, string>> {
  const needed = new Map<Digest, string>();
  const queue = tags[Symbol.iterator]();
  const work = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      const tag = next.value;
      const root = await ifFound(repository.resolve(tag, options));
      const waiting = root === undefined ? [] : [root];
      for (const descriptor of waiting) {
        if (needed.has(descriptor.digest)) continue;
        needed.set(descriptor.digest, tag);
        const isTagged = descriptor === root;
        if (!isIndexType(descriptor.mediaType) && !isTagged) continue;
        const manifest = parseManifest(await repository.manifest(descriptor, options), descriptor.mediaType);
        waiting.push(...manifestChildren(manifest).manifests);
        // A signature that is tagged needs what it signs.
        if (manifest.subject !== undefined) waiting.push(manifest.subject);
      }
    }
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, work));
  return needed;
}
