import { type BlobInfoCache, type Descriptor, LayerLocator, type Ref, type RefCodec } from "@mote/core";
import type { Job } from "./job.js";

const maxCandidates = 5;

/** What the blob-info cache knows and learns. Whatever fails in it is logged, and the transfer goes on. */
export class Locations {
  readonly #job: Job;
  readonly #locator: LayerLocator | undefined;

  constructor(job: Job, bic: BlobInfoCache | undefined, refCodec: RefCodec | undefined) {
    this.#job = job;
    this.#locator = bic && refCodec && new LayerLocator(bic, refCodec);
  }

  /** Where on the destination's registry the blob may be: at the source, if that is there, then where it was seen, newest first. */
  async candidates(descriptor: Descriptor): Promise<readonly Ref[]> {
    const { source, destination, signal } = this.#job;
    const target = destination?.ref;
    if (target?.transport !== "docker") return [];
    const here = source.ref?.transport === "docker" && source.ref.registry === target.registry ? [source.ref] : [];
    try {
      const known = await this.#locator?.locateLayer(descriptor, target, {
        matchRegistry: true,
        max: maxCandidates,
        signal,
      });
      const others = known?.filter((ref) => !here.some((source) => isOneRepository(source, ref))) ?? [];
      return [...here, ...others].slice(0, maxCandidates);
    } catch (error) {
      this.#report(`places of ${descriptor.digest} cannot be looked up`, error);
      return here;
    }
  }

  /** Only of what was verified here, or that the place itself has just confirmed to hold. */
  async record(descriptor: Descriptor, ref: Ref | undefined): Promise<void> {
    if (ref === undefined) return;
    try {
      await this.#locator?.recordLayerSource(descriptor, ref, { signal: this.#job.signal });
    } catch (error) {
      this.#report(`the place of ${descriptor.digest} cannot be recorded`, error);
    }
  }

  #report(message: string, error: unknown): void {
    this.#job.logger.warn(`${message}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function isOneRepository(a: Ref, b: Ref): boolean {
  return (
    a.transport === "docker" && b.transport === "docker" && a.registry === b.registry && a.repository === b.repository
  );
}
