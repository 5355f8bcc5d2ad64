import {
  type Cancellable,
  type ContentDestination,
  type ContentSource,
  type Digest,
  LayerLocator,
  NilCache,
  type Ref,
} from "@mote/core";
import type { TransferReport } from "@mote/transfer";
import { overriding } from "../overriding.js";
import type { Parts } from "../parts.js";
import { openRebuilder } from "../rebuild/open-rebuilder.js";
import type { RebuildQueue } from "../rebuild/rebuild-queue.js";
import { type SelectedPlatforms, selectPlatforms } from "../sources/selected-platforms.js";
import type { SourcePool } from "../sources/source-pool.js";
import type { Mover } from "../transfers/mover.js";
import type { RateLimits } from "../transfers/rate-limits.js";
import type { ImageName } from "./image-name.js";
import { type PlannedCount, planningDestination } from "./plan-destination.js";
import { assertReliedOn, readReliedOn } from "./relied-on.js";
import type { SyncTarget } from "./sync-target.js";
import type { SyncedImage, SyncOptions } from "./types.js";

export interface MoveContext
  extends Cancellable,
    Pick<SyncOptions, "platform" | "referrers" | "concurrency" | "connectionsPerBlob" | "delta" | "onEvent"> {
  readonly parts: Parts;
  readonly mover: Mover;
  readonly pool: SourcePool;
  /** For layers that are rebuilt. */
  readonly queue: RebuildQueue;
  readonly target: SyncTarget;
  readonly rates: RateLimits;
  /** The blobs that were sent so far. */
  readonly sent: Set<Digest>;
  /** Set for a dry run: the blobs that would be sent so far. */
  readonly planned: Set<Digest> | undefined;
}

/** An image that was found, and its name at the destination. */
interface MovableImage {
  /** As in the report. */
  readonly source: string;
  readonly destination?: string | undefined;
  readonly ref: Ref;
  readonly name: ImageName;
}

type Moved = Pick<SyncedImage, "state" | "digest" | "blobs" | "bytes" | "mounted" | "warnings">;

/** Moves one image of a run, unless the destination has it under its name. @throws what source, transfer and destination throw */
export async function moveImage(image: MovableImage, context: MoveContext): Promise<Moved> {
  const { ref, name } = image;
  const { pool, target, planned, signal, platform, referrers, parts } = context;
  const source = await pool.open(ref);
  const resolved = await source.resolve(ref, { signal });
  const nothing = { digest: resolved.digest, blobs: 0, bytes: 0, mounted: 0, warnings: [] };
  // Of selected platforms and referrers, more may be needed than the name shows.
  const isWhole = platform === undefined && !referrers;
  if (isWhole && (await target.isCurrent(name, resolved, { signal }))) return { state: "unchanged", ...nothing };
  const reliedOn = await readReliedOn(source, { signal });
  await assertReliedOn(source, resolved, { name, reliedOn, target, parts, signal });
  const destination = await target.open(name, reliedOn);
  try {
    // The transfer need not resolve it again.
    const opened = overriding(source, { resolve: async () => resolved, [Symbol.asyncDispose]: undefined });
    if (planned !== undefined) return await plan(opened, image, { ...context, destination, planned });
    return await transferImage(opened, image, { ...context, destination });
  } finally {
    await destination[Symbol.asyncDispose]?.();
  }
}

interface Transferring extends MoveContext {
  readonly destination: ContentDestination;
}

async function transferImage(source: ContentSource, image: MovableImage, context: Transferring): Promise<Moved> {
  const { mover, parts, rates, target } = context;
  const { ref, name } = image;
  const destination = overriding(context.destination, { [Symbol.asyncDispose]: undefined });
  const before = { wasCurrent: false };
  const sent = { blobs: 0, bytes: 0 };
  await using rebuilder = await openRebuilder(ref, parts, { mode: context.delta, queue: context.queue });
  const { report, selected } = await runTransfer(source, image, context, (options) =>
    mover.transfer(options.source, destination, {
      ...options.transfer,
      rates,
      rebuild: rebuilder?.rebuild,
      onEvent: (event) => {
        context.onEvent?.(event, image);
        if (event.type !== "done" || (event.delivery !== "copied" && event.delivery !== "linked")) return;
        // Two images may link a blob into a layout at once.
        if (!target.isRegistry && context.sent.has(event.digest)) return;
        context.sent.add(event.digest);
        sent.blobs++;
        sent.bytes += event.size;
      },
      verify: async (descriptor) => {
        before.wasCurrent = await target.isCurrent(name, descriptor, { nameOnly: true, signal: context.signal });
      },
    }),
  );
  const cached = ref.digest === undefined ? parts.references.nameInCache(ref) : undefined;
  await mover.nameImage(cached, report, selected);
  const { copied, linked, mounted, warnings } = report;
  const isUnchanged = before.wasCurrent && copied.count + linked.count + mounted.count === 0;
  return {
    state: isUnchanged ? "unchanged" : "copied",
    digest: report.refs[0]?.descriptor.digest,
    ...sent,
    mounted: mounted.count,
    warnings,
  };
}

/** Runs the transfer without moving a blob, and without writing to the cache. */
async function plan(
  source: ContentSource,
  image: MovableImage,
  context: Transferring & { readonly planned: Set<Digest> },
): Promise<Moved> {
  const { transfer } = await import("@mote/transfer");
  const count: PlannedCount = { blobs: 0, bytes: 0 };
  const { parts, signal } = context;
  const locator = new LayerLocator(parts.bic, parts.references.absoluteCodec);
  const destination = planningDestination(context.destination, context.planned, count, async (descriptor) => {
    const { ref: to } = context.destination;
    if (to?.transport !== "docker") return false;
    return (await locator.locateLayer(descriptor, to, { matchRegistry: true, signal })).length > 0;
  });
  const { report } = await runTransfer(source, image, context, (options) =>
    transfer({ ...options.transfer, source: options.source, destination, cache: new NilCache() }),
  );
  const { warnings } = report;
  return { state: "planned", digest: report.refs[0]?.descriptor.digest, ...count, mounted: 0, warnings };
}

interface TransferPlan {
  readonly source: ContentSource;
  readonly transfer: Cancellable & {
    readonly refs: readonly Ref[];
    readonly tags: readonly string[];
    readonly platform?: string | undefined;
    readonly referrers: boolean;
    readonly concurrency: number | undefined;
    readonly connectionsPerBlob: number | undefined;
  };
}

/** Calls `run` for the selected platforms. Several get a new index at a registry. */
async function runTransfer(
  source: ContentSource,
  { ref, name: { full, tag } }: MovableImage,
  { platform, referrers = false, concurrency, connectionsPerBlob, signal, target }: Transferring,
  run: (plan: TransferPlan) => Promise<TransferReport>,
): Promise<{ readonly report: TransferReport; readonly selected: SelectedPlatforms | undefined }> {
  const platforms = typeof platform === "string" ? [platform] : platform;
  const several = platforms !== undefined && platforms.length > 1 ? platforms : undefined;
  const selected = several && selectPlatforms(source, { platforms: several, newIndex: target.isRegistry });
  // A registry has tags, and a layout or an archive full names. A digest sets no name.
  const named = target.isRegistry ? (tag ?? full.slice(full.lastIndexOf("@") + 1)) : full;
  const [only] = several === undefined ? (platforms ?? []) : [];
  const transfer = { refs: [ref], tags: [named], platform: only, referrers, concurrency, connectionsPerBlob, signal };
  return { report: await run({ source: selected?.source ?? source, transfer }), selected };
}
