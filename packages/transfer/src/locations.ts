import {
  type BlobInfoCache,
  type DecompressedBlob,
  type Descriptor,
  LayerLocator,
  type Ref,
  type RefCodec,
} from "@mote/core";
import type { PlannedBlob } from "./graph.js";
import type { Job } from "./job.js";

const maxCandidates = 5;

/** What the blob-info cache knows and learns. Whatever fails in it is logged, and the transfer goes on. */
export class Locations {
  readonly #job: Job;
  readonly #bic: BlobInfoCache | undefined;
  readonly #decompressedBlobs: DecompressedBlob[] = [];
  readonly #locator: LayerLocator | undefined;
  readonly #learnt: { readonly descriptor: Descriptor; readonly ref: Ref }[] = [];

  constructor(job: Job, bic: BlobInfoCache | undefined, refCodec: RefCodec | undefined) {
    this.#job = job;
    this.#bic = bic;
    this.#locator = bic && refCodec && new LayerLocator(bic, refCodec);
  }

  /** Repositories of the destination's registry where the blob may be: the source, then where it was seen, newest first. */
  async mountCandidates({ descriptor }: PlannedBlob): Promise<readonly Ref[]> {
    const { source, destination } = this.#job;
    const target = destination?.ref;
    if (target?.transport !== "docker") return [];
    const candidates =
      source.ref?.transport === "docker" && source.ref.registry === target.registry ? [source.ref] : [];
    try {
      const known = await this.#locator?.locateLayer(descriptor, target, {
        matchRegistry: true,
        signal: this.#job.ownSignal(),
      });
      candidates.push(...(known ?? []).filter((ref) => ref.transport === "docker"));
    } catch (error) {
      this.#report(`places of ${descriptor.digest} cannot be looked up`, error);
    }
    // What the destination itself had would not have to be mounted.
    const others = candidates.filter(({ repository }) => repository !== target.repository);
    const byRepository = new Map(others.reverse().map((ref) => [ref.repository, ref]));
    return [...byRepository.values()].reverse().slice(0, maxCandidates);
  }

  /** The registry would mount the blob from none of these. The source itself is known to have it all the same. */
  async removeUnmountable({ descriptor }: PlannedBlob, refused: readonly Ref[]): Promise<void> {
    const { source, destination } = this.#job;
    if (this.#locator === undefined || destination?.ref === undefined) return;
    const gone = refused.filter((ref) => source.ref === undefined || !isOnePlace(ref, source.ref));
    try {
      const options = { matchRegistry: true, signal: this.#job.ownSignal() };
      for (const ref of await this.#locator.locateLayer(descriptor, destination.ref, options)) {
        if (gone.some((other) => isOnePlace(ref, other)))
          await this.#locator.removeLayerSource(descriptor, ref, options);
      }
    } catch (error) {
      this.#report(`a place of ${descriptor.digest} cannot be forgotten`, error);
    }
  }

  /** Other places than the source where the blob was seen, newest first. */
  async fallbacks({ descriptor }: PlannedBlob): Promise<readonly Ref[]> {
    const { ref } = this.#job.source;
    if (ref === undefined || this.#locator === undefined) return [];
    try {
      const signal = this.#job.ownSignal();
      const known = await this.#locator.locateLayer(descriptor, ref, { matchRegistry: false, signal });
      return known.filter((other) => !isOnePlace(other, ref)).slice(0, maxCandidates);
    } catch (error) {
      this.#report(`places of ${descriptor.digest} cannot be looked up`, error);
      return [];
    }
  }

  /** The blob has come from the source, and was verified here. */
  recordFetched({ descriptor, from }: PlannedBlob): void {
    const { source } = this.#job;
    const ref = source.servedBy === undefined ? from : asOf(source.servedBy(descriptor), from);
    if (ref !== undefined) this.#learnt.push({ descriptor, ref });
  }

  /** The destination has taken the blob. */
  recordSent({ descriptor, to }: PlannedBlob): void {
    if (to !== undefined) this.#learnt.push({ descriptor, ref: to });
  }

  /** The destination has uncompressed these, and verified both digests. Nothing else tells a blob's plain form: manifests may lie. */
  recordDecompressed(forms: Iterable<DecompressedBlob>): void {
    this.#decompressedBlobs.push(...forms);
  }

  /** Records what was learnt, all at once: a cache that writes to a disk then does so once. */
  async flush(): Promise<void> {
    const [locator, bic] = [this.#locator, this.#bic];
    const learnt = this.#learnt.splice(0);
    if (locator === undefined || bic === undefined) return;
    const recording = [
      ...learnt.map(({ descriptor, ref }) => locator.recordLayerSource(descriptor, ref)),
      ...this.#decompressedBlobs
        .splice(0)
        .flatMap(({ digest, untransformed, transformer }) => [
          bic.recordDigestUntransformedPair(digest, untransformed),
          bic.recordDigestTransformerName(digest, transformer),
        ]),
    ];
    const failed = (await Promise.allSettled(recording)).find((result) => result.status === "rejected");
    if (failed !== undefined) this.#report("places of blobs cannot be recorded", failed.reason);
  }

  #report(message: string, error: unknown): void {
    this.#job.logger.warn(`${message}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** What is called `from`, at the place that it really came from. */
function asOf(place: Ref | undefined, from: Ref | undefined): Ref | undefined {
  if (place?.transport !== "docker" || from?.transport !== "docker") return place;
  const { scheme: _, ...named } = from;
  return { ...named, ...place };
}

function isOnePlace(a: Ref, b: Ref): boolean {
  if (a.transport === "docker" && b.transport === "docker") {
    return a.registry === b.registry && a.repository === b.repository;
  }
  return "path" in a && "path" in b && a.transport === b.transport && a.path === b.path;
}
