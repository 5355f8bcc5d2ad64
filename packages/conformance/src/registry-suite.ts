import { blobPushes } from "./registry/blob-pushes.js";
import { deletions } from "./registry/deletions.js";
import { discovery } from "./registry/discovery.js";
import { manifestPushes } from "./registry/manifest-pushes.js";
import { mounts } from "./registry/mounts.js";
import { RegistryClient, type RegistryTests } from "./registry/registry-client.js";
import type { TestApi } from "./test-api.js";

export interface RegistryAccess {
  /** Such as `http://127.0.0.1:5000`. */
  readonly url: string;
  /** Sent with every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * Defines tests of a registry that takes pushes and deletions, by the distribution specification 1.1. Each test uses repositories of its own.
 * @param open returns the registry
 */
export function registrySuite(testApi: TestApi, open: () => Promise<RegistryAccess> | RegistryAccess): void {
  const run = `run-${Date.now().toString(36)}`;
  let repositories = 0;
  const repository = async () => {
    const { url, headers } = await open();
    return new RegistryClient(url, `conformance/${run}/${repositories++}`, headers);
  };
  const { describe, it, expect } = testApi;
  const test: RegistryTests["test"] = (name, body) => it(name, async () => body(await repository()));
  const tests = { describe, it, expect, open: repository, test };
  for (const group of [blobPushes, mounts, manifestPushes, discovery, deletions]) group(tests);
}
