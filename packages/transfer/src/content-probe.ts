import { type Descriptor, isNotFound, type MoteReader } from "@mote/core";
import type { Job } from "./job.js";

/** Transports where to look for a blob is to look for a file. */
const local: ReadonlySet<string> = new Set(["oci", "oci-archive", "dir"]);

/**
 * Tells whether content of one of an index's manifests can be moved. Archives and layouts often hold some platforms alone, and all manifests;
 * a registry has taken no manifest without its blobs, and is not asked.
 */
export class ContentProbe {
  readonly #job: Job;
  readonly #isLocal: boolean;

  constructor(job: Job) {
    this.#job = job;
    this.#isLocal = local.has(job.source.ref?.transport ?? "");
  }

  async areAllThere(blobs: readonly Descriptor[]): Promise<boolean> {
    if (!this.#isLocal) return true;
    for (const blob of blobs) if (!(await this.isThere(blob))) return false;
    return true;
  }

  /** In the source, the cache or the destination. */
  async isThere(blob: Descriptor): Promise<boolean> {
    const { source, cache, destination } = this.#job;
    const options = this.#job.callOptions();
    const { signal } = options;
    let reader: MoteReader | undefined;
    try {
      reader = await source.blob(blob, { ...options, verifyOnRead: false });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      // Whatever else is wrong, the transfer of the blob says it.
      if (!isNotFound(error)) return true;
    } finally {
      await reader?.close();
    }
    return (await cache.moteExists(blob.digest, { signal })) || ((await destination?.has(blob, options)) ?? false);
  }
}
