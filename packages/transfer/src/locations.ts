import {
  type BlobInfoCache,
  type DecompressedBlob,
  type Descriptor,
  LayerLocator,
  messageOf,
  type Ref,
  type RefCodec,
} from "@mote/core";
import type { PlannedBlob } from "./graph.js";
import type { Job } from "./job.js";

const maxCandidates = 5;

/** Looks up and records locations in the blob-info cache. Its errors are logged and do not fail the transfer. */
export class Locations {
  readonly #job: Job;
  readonly #bic: BlobInfoCache | undefined;
  readonly #decompressed: DecompressedBlob[] = [];
  readonly #locator: LayerLocator | undefined;
  readonly #locations: { readonly descriptor: Descriptor; readonly ref: Ref }[] = [];
  #isOpening = false;

  constructor(job: Job, bic: BlobInfoCache | undefined, refCodec: RefCodec | undefined) {
    this.#job = job;
    this.#bic = bic;
    this.#locator = bic && refCodec && new LayerLocator(bic, refCodec);
  }

  /** Opens the blob-info cache while requests wait for their responses, rather than when everything has arrived. */
  openSoon(): void {
    if (this.#locator === undefined || this.#isOpening) return;
    this.#isOpening = true;
    setImmediate(async () => {
      try {
        await this.#bic?.open();
      } catch {
        // The first use reports it.
      }
    });
  }

  /** Returns repositories on the destination's registry from which the blob may be mounted: the source, then the newest known locations. */
  async mountCandidates({ descriptor }: PlannedBlob): Promise<readonly Ref[]> {
    const { source, destination } = this.#job;
    const target = destination?.ref;
    if (target?.transport !== "docker") return [];
    const candidates = (destination?.mountSources?.(descriptor) ?? []).filter((ref) => ref.transport === "docker");
    if (source.ref?.transport === "docker" && source.ref.registry === target.registry) candidates.push(source.ref);
    try {
      const known = await this.#locator?.locateLayer(descriptor, target, {
        matchRegistry: true,
        signal: this.#job.signal,
      });
      candidates.push(...(known ?? []).filter((ref) => ref.transport === "docker"));
    } catch (error) {
      this.#report(`cannot look up the locations of ${descriptor.digest}`, error);
    }
    // The destination itself is not a candidate.
    const others = candidates.filter(({ repository }) => repository !== target.repository);
    const byRepository = new Map(others.reverse().map((ref) => [ref.repository, ref]));
    return [...byRepository.values()].reverse().slice(0, maxCandidates);
  }

  /** Removes locations from which the registry did not mount the blob, except the source. */
  async removeUnmountable({ descriptor }: PlannedBlob, candidates: readonly Ref[]): Promise<void> {
    const { source, destination } = this.#job;
    if (this.#locator === undefined || destination?.ref === undefined) return;
    const removed = candidates.filter((ref) => source.ref === undefined || !isSameLocation(ref, source.ref));
    try {
      const options = { matchRegistry: true, signal: this.#job.signal };
      for (const ref of await this.#locator.locateLayer(descriptor, destination.ref, options)) {
        if (removed.some((other) => isSameLocation(ref, other)))
          await this.#locator.removeLayerSource(descriptor, ref, options);
      }
    } catch (error) {
      this.#report(`cannot remove a location of ${descriptor.digest}`, error);
    }
  }

  /** Returns known locations of the blob other than the source, newest first. */
  async fallbacks({ descriptor }: PlannedBlob): Promise<readonly Ref[]> {
    const { ref } = this.#job.source;
    if (ref === undefined || this.#locator === undefined) return [];
    try {
      const signal = this.#job.signal;
      const known = await this.#locator.locateLayer(descriptor, ref, { matchRegistry: false, signal });
      return known.filter((other) => !isSameLocation(other, ref)).slice(0, maxCandidates);
    } catch (error) {
      this.#report(`cannot look up the locations of ${descriptor.digest}`, error);
      return [];
    }
  }

  /** Records that the source has the blob, which was verified here. */
  recordFetched({ descriptor, from }: PlannedBlob): void {
    const { source } = this.#job;
    const ref = source.servedBy === undefined ? from : atServer(source.servedBy(descriptor), from);
    if (ref !== undefined) this.#locations.push({ descriptor, ref });
  }

  /** Records that the destination has the blob. */
  recordSent({ descriptor, to }: PlannedBlob): void {
    if (to !== undefined) this.#locations.push({ descriptor, ref: to });
  }

  /** Records blobs that the destination has decompressed. Untransformed digests in manifests are not trusted. */
  recordDecompressed(forms: Iterable<DecompressedBlob>): void {
    this.#decompressed.push(...forms);
  }

  /** Writes all records at once, so that a cache on disk writes only once. */
  async flush(): Promise<void> {
    const [locator, bic] = [this.#locator, this.#bic];
    const located = this.#locations.splice(0);
    if (locator === undefined || bic === undefined) return;
    const recording = [
      ...located.map(({ descriptor, ref }) => locator.recordLayerSource(descriptor, ref)),
      ...this.#decompressed
        .splice(0)
        .flatMap(({ digest, untransformed, transformer }) => [
          bic.recordDigestUntransformedPair(digest, untransformed),
          bic.recordDigestTransformerName(digest, transformer),
        ]),
    ];
    const failed = (await Promise.allSettled(recording)).find((result) => result.status === "rejected");
    if (failed !== undefined) this.#report("cannot record the locations of blobs", failed.reason);
  }

  #report(message: string, error: unknown): void {
    this.#job.logger.warn(`${message}: ${messageOf(error)}`, { cause: error });
  }
}

/** Returns the reference `from` at the location that served it. */
function atServer(servedBy: Ref | undefined, from: Ref | undefined): Ref | undefined {
  if (servedBy?.transport !== "docker" || from?.transport !== "docker") return servedBy;
  const { scheme: _, ...named } = from;
  return { ...named, ...servedBy };
}

function isSameLocation(a: Ref, b: Ref): boolean {
  if (a.transport === "docker" && b.transport === "docker") {
    return a.registry === b.registry && a.repository === b.repository;
  }
  return "path" in a && "path" in b && a.transport === b.transport && a.path === b.path;
}
