import {
  type BlobInfoCache,
  type ContentDestination,
  type ContentSource,
  type Descriptor,
  type Digest,
  type Lease,
  type Logger,
  type Manifest,
  type MoteCache,
  type Platform,
  parallelFetches,
  parsePlatform,
  type Ref,
  type RefCodec,
  silentLogger,
  untilAborted,
} from "@mote/core";
import { BlobMove } from "./blob-move.js";
import { ConfigReader } from "./config-reader.js";
import type { TransferEvent } from "./events.js";
import { findRoots, type Root } from "./find-roots.js";
import { type Graph, type PlannedBlob, readGraph } from "./graph.js";
import { Job } from "./job.js";
import { Locations } from "./locations.js";
import { type LoadedManifest, ManifestLoader } from "./manifest-loader.js";
import { missingBelow, reportMissing } from "./missing-platforms.js";
import { putIndexes, putManifests } from "./put-manifests.js";
import { LayerRebuilding, type RebuildLayer } from "./rebuild.js";
import { recordMembership } from "./record-membership.js";
import { locationOf } from "./refs.js";
import type { TransferReport } from "./report.js";
import { restoreBlobs } from "./restore-blobs.js";
import { leaseContent } from "./transfer-lease.js";

const defaultConcurrency = 6;
// Round trips dominate the cost of small blobs, so more of them are moved concurrently.
const maxSmallBytes = 256 * 1024;
const smallConcurrency = 16;

export interface VerifyContext {
  readonly ref: Ref | string;
  /** What the source resolved the reference to, such as the index of a selected platform. */
  readonly resolved: Descriptor;
  readonly bytes: Uint8Array;
  readonly signal: AbortSignal;
}

export interface TransferOptions {
  readonly source: ContentSource;
  /** Default: only the cache. */
  readonly destination?: ContentDestination | undefined;
  /** An initialized cache. Transfers with the same cache object share fetches. */
  readonly cache: MoteCache;
  /** With `refCodec`: records the locations of verified blobs and finds mount candidates. */
  readonly bic?: BlobInfoCache | undefined;
  readonly refCodec?: RefCodec | undefined;
  /** With `bic`: opens another location of a blob as a fallback if the source fails. The source is disposed after use. */
  readonly openSource?: ((ref: Ref) => ContentSource | Promise<ContentSource>) | undefined;
  /** References for `resolve` of the source. */
  readonly refs: readonly (Ref | string)[];
  /**
   * Tags at the destination, or names in the cache without a destination; one for each of `refs`. Default: the tag of the reference at the
   * destination, no name in the cache. A digest means no tag.
   */
  readonly tags?: readonly (string | undefined)[] | undefined;
  /** The maximum number of concurrent manifests or blobs. Default 6, plus 16 blobs of up to 256 KiB. */
  readonly concurrency?: number | undefined;
  /**
   * The maximum number of connections that read one blob of 1 GiB or more from a registry, in ranges. One more is opened only while the total
   * rate grows clearly. Needs a cache that stores bytes in any order. Default 6, at most 16; 1: a single stream.
   */
  readonly connectionsPerBlob?: number | undefined;
  /**
   * The platform to move, or one for each of `refs`; strings are parsed by `parsePlatform`. The name in the cache still refers to the index.
   * Default: all platforms.
   */
  readonly platform?: Platform | string | readonly (Platform | string)[] | undefined;
  /**
   * Whether to move referrers as well, by `subject` or by cosign's tags, which are kept at the destination. Default false.
   */
  readonly referrers?: boolean | undefined;
  /** Called for each layer of an image that the cache lacks. Default: they are fetched. */
  readonly rebuild?: RebuildLayer | undefined;
  /** Called for each reference before content is moved, for example to check signatures. Throwing aborts the transfer. */
  readonly verify?:
    | ((descriptor: Descriptor, manifest: Manifest, context: VerifyContext) => void | Promise<void>)
    | undefined;
  /**
   * A lease of the caller, to which the content is added. Default: a lease that is released at the end of the transfer.
   */
  readonly lease?: Lease | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: TransferEvent) => void) | undefined;
  /** Silent by default. */
  readonly logger?: Logger | undefined;
}

/**
 * Moves manifest graphs from the source through the cache to the destination. Tags are set last, so that a tag never refers to incomplete
 * content. The first error aborts the transfer; complete content stays.
 * @throws MOTE_NOT_FOUND · MOTE_INVALID_MANIFEST · MOTE_TOO_LARGE · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH ·
 *   MOTE_NO_PLATFORM · MOTE_UNWRITABLE and MOTE_NO_SPACE (of the cache only without a destination) · what source, destination
 *   and `verify` throw · the reason of `signal`
 */
export async function transfer(options: TransferOptions): Promise<TransferReport> {
  const { source, destination, cache, refs, tags = [], signal, concurrency = defaultConcurrency } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new TypeError("concurrency must be an integer of at least 1");
  if (tags.length > refs.length) throw new TypeError("there are more tags than refs");
  const { logger = silentLogger, onEvent, openSource, connectionsPerBlob } = options;
  const platforms = refs.map((_, at) => platformAt(options.platform, at));
  const limits = { concurrency, parallelFetches: parallelFetches({ connectionsPerBlob, logger }) };
  const job = new Job({ source, destination, cache, logger, ...limits, openSource, onEvent, signal });
  try {
    return await run(job, { ...options, platforms });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    job.end();
  }
}

interface Plan extends Omit<TransferOptions, "platform"> {
  /** One for each of `refs`. */
  readonly platforms: readonly (Platform | undefined)[];
}

function platformAt(wanted: TransferOptions["platform"], at: number): Platform | undefined {
  const one = Array.isArray(wanted) ? wanted[at] : wanted;
  return typeof one === "string" ? parsePlatform(one) : one;
}

async function run(job: Job, options: Plan): Promise<TransferReport> {
  const startedMs = performance.now();
  job.signal.throwIfAborted();
  const loader = new ManifestLoader(job);
  const roots = await findRoots(job, loader, options);
  const complete = await readGraph(job, loader, roots, { referrers: options.referrers ?? false });
  await reportMissing(job, complete, roots);
  for (const root of roots) await runVerifyHook(job, loader, root, options.verify);
  const graph = { ...complete, blobs: complete.blobs.filter((blob) => isWanted(job, blob)) };
  emitPlan(job, graph);
  const locations = new Locations(job, options.bic, options.refCodec);
  const needed = [...graph.blobs, ...manifestsOf(graph, roots)].map(({ descriptor }) => descriptor.digest);
  const lease = await leaseContent(job, needed, options.lease);
  const { rebuild } = options;
  const rebuilding = rebuild && new LayerRebuilding(job, new ConfigReader(job), rebuild, graph);
  const move = (blobs: readonly PlannedBlob[]) =>
    moveBlobs(
      job,
      blobs,
      (blob) => new BlobMove(job, locations, blob, rebuilding).run(),
      options.concurrency === undefined,
    );
  try {
    await lookUp(job, needed);
    await move(graph.blobs);
    await lease.finish({
      restore: () => restoreBlobs(job, graph.blobs, move),
      finish: () => finish(job, graph, roots),
    });
    await job.destination?.commit?.(job.callOptions({ signal: job.signal }));
    recordManifestLocations(job, locations, graph, roots);
    locations.recordDecompressed(job.destination?.decompressedBlobs?.() ?? []);
  } finally {
    await locations.flush();
    await lease.release();
  }
  return reportOf(job, graph, roots, startedMs);
}

/** Looks up all blobs at once in a remote cache, and uses the results for each of them. */
async function lookUp(job: Job, digests: readonly Digest[]): Promise<void> {
  const { cache, signal } = job;
  // Without `fill`, a cache remembers no results.
  if (cache.fill === undefined) return;
  const looking = (async () => cache.existing?.(digests, { signal }))();
  await job.orWarn(looking, "cannot look up the blobs in the cache");
}

/** Writes the manifests, then sets the tags. */
async function finish(job: Job, graph: Graph, roots: readonly Root[]): Promise<void> {
  await putManifests(job, graph, roots);
  for (const root of roots) await putIndexes(job, root);
  await recordMembership(job, manifestsOf(graph, roots));
  if (job.destination !== undefined) {
    for (const { tag, descriptor } of graph.referrers) await setName(job, tag, descriptor);
  }
  for (const { name, descriptor, resolved } of roots) {
    await setName(job, name, job.destination === undefined ? resolved : descriptor);
  }
}

/** Records the locations of manifests, which can be requested by digest like blobs. */
function recordManifestLocations(job: Job, locations: Locations, graph: Graph, roots: readonly Root[]): void {
  const at = (location: Ref | undefined, digest: Digest) => locationOf(location, { tag: undefined, digest });
  const locationsOf = ({ digest }: Descriptor) => ({
    from: at(job.source.ref, digest),
    to: at(job.destination?.ref, digest),
  });
  for (const { descriptor, from } of manifestsOf(graph, roots)) {
    if (from === "source") locations.recordFetched({ descriptor, ...locationsOf(descriptor) });
  }
  // Linked blobs are not recorded at the destination either. So the blob-info cache is not even opened if nothing was fetched or sent.
  const { fetched, copied } = job.tallies.all();
  if (job.destination?.linkable !== undefined && fetched.count + copied.count === 0) return;
  for (const { descriptor } of graph.manifests.flat()) locations.recordSent({ descriptor, ...locationsOf(descriptor) });
}

async function moveBlobs(
  job: Job,
  blobs: readonly PlannedBlob[],
  move: (blob: PlannedBlob) => Promise<void>,
  withSmallBlobs: boolean,
): Promise<void> {
  if (!withSmallBlobs) return job.forEach(blobs, move);
  const isSmall = ({ descriptor }: PlannedBlob) => descriptor.size <= maxSmallBytes;
  const large = job.forEach(
    blobs.filter((blob) => !isSmall(blob)),
    move,
  );
  const small = job.forEach(blobs.filter(isSmall), move, smallConcurrency);
  // Waits for both, even if one fails.
  await Promise.allSettled([large, small]);
  job.signal.throwIfAborted();
}

async function runVerifyHook(
  job: Job,
  loader: ManifestLoader,
  { ref, resolved, descriptor }: Root,
  verify: TransferOptions["verify"],
): Promise<void> {
  if (verify === undefined) return;
  const { manifest, bytes } = await loader.load(descriptor);
  const verifying = async () => verify(descriptor, manifest, { ref, resolved, bytes, signal: job.signal });
  await untilAborted(verifying(), job.signal);
}

function isWanted({ destination }: Job, { descriptor }: PlannedBlob): boolean {
  return destination?.wants?.(descriptor) ?? true;
}

function emitPlan(job: Job, graph: Graph): void {
  for (const { digest, size } of graph.foreign) job.tallies.add("foreign", digest, size);
  job.emit({
    type: "plan",
    manifests: graph.manifests.flat().length,
    blobs: graph.blobs.length,
    bytes: graph.blobs.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
  });
}

async function setName(job: Job, name: string | undefined, descriptor: Descriptor): Promise<void> {
  const { destination, cache, signal } = job;
  signal.throwIfAborted();
  if (destination !== undefined) await destination.tag(name ?? descriptor.digest, descriptor, job.callOptions());
  else if (name !== undefined) await cache.tags?.tag(name, descriptor, { signal });
}

/** Returns the moved manifests and the indexes of selected platforms, each once. */
function manifestsOf(graph: Graph, roots: readonly Root[]): readonly LoadedManifest[] {
  return [...new Set([...graph.manifests.flat(), ...roots.flatMap(({ indexes }) => indexes)])];
}

function reportOf(job: Job, graph: Graph, roots: readonly Root[], startedMs: number): TransferReport {
  const { tallies, warnings } = job;
  const manifests = manifestsOf(graph, roots);
  const fetched = manifests.filter(({ from }) => from === "source");
  return {
    refs: roots.map(({ ref, resolved, descriptor, platform, name }) => {
      const missing = missingBelow(graph, descriptor);
      return {
        ref,
        resolved,
        descriptor,
        ...(platform === undefined ? {} : { platform }),
        ...(missing.length === 0 ? {} : { missing }),
        tag: name,
      };
    }),
    ...tallies.all(),
    referrers: graph.referrers,
    manifests: {
      count: manifests.length,
      bytes: bytesOf(manifests),
      fetched: fetched.length,
      fetchedBytes: bytesOf(fetched),
    },
    durationMs: performance.now() - startedMs,
    warnings,
  };
}

function bytesOf(manifests: readonly LoadedManifest[]): number {
  return manifests.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}
