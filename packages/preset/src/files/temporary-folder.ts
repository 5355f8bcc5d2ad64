import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cancellable, MoteCache, TemporaryFolder } from "@mote/core";

/** Makes a folder for temporary files: that of the cache, which is cleaned up also after a crash, or else one of the system. */
export async function temporaryFolder(cache: MoteCache, options: Cancellable): Promise<TemporaryFolder> {
  if (cache.temporaryFolder !== undefined) return cache.temporaryFolder(options);
  const path = await mkdtemp(join(tmpdir(), "mote-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
