import {
  type ContentDestination,
  type ContentSource,
  type Descriptor,
  type Digest,
  MoteError,
  type Ref,
  writeMote,
} from "@mote/core";
import type { FileInput, FilesDestination } from "@mote/layout";
import type { TransferOptions, TransferReport } from "@mote/transfer";
import type { MoveOptions, PullOptions, PushFilesOptions, RepairOptions } from "../mote.js";
import type { Parts } from "../parts.js";
import { openRebuilder } from "../rebuild/open-rebuilder.js";
import { personalFolder } from "../references/home-paths.js";
import {
  assertPullDestination,
  defaultName,
  nameOfOrigin,
  type Origin,
  onlyOf,
  readOrigin,
} from "../references/origin.js";
import { otherTag } from "../references/references.js";
import { readFromOrigin } from "../sources/read-from-origin.js";
import { type SelectedPlatforms, selectPlatforms } from "../sources/selected-platforms.js";
import { type MoveReport, withReferences } from "./move-report.js";
import { limitedSends, limitedSource, RateLimits } from "./rate-limits.js";
import type { SizeBound } from "./size-bound.js";

type Transferring = MoveOptions &
  Pick<TransferOptions, "refs" | "tags" | "platform" | "referrers" | "verify" | "rebuild"> & {
    /** Limits that several transfers share. Default: those of `maxRate`. */
    readonly rates?: RateLimits | undefined;
  };

/** Moves images and files through the cache, and names them there. */
export class Mover {
  readonly #parts: Parts;
  readonly #sizeBound: SizeBound | undefined;

  constructor(parts: Parts, sizeBound: SizeBound | undefined) {
    this.#parts = parts;
    this.#sizeBound = sizeBound;
  }

  async pull(source: string, destination: string | undefined, options: PullOptions): Promise<MoveReport> {
    if (destination !== undefined) {
      assertPullDestination(destination);
      return this.copy(source, destination, options);
    }
    const { cache, references } = this.#parts;
    const from = await readOrigin(cache, references, source);
    // A digest as a tag sets no name.
    const tags = options.tags ?? [nameOfOrigin(references, from) ?? String(from)];
    return this.#move(from, undefined, { ...options, tags });
  }

  async copy(source: string, destination: string, options: PullOptions): Promise<MoveReport> {
    const { cache, references } = this.#parts;
    const folder = personalFolder(destination);
    const to = folder === undefined ? references.parseMovable(destination, "destination") : undefined;
    const from = await readOrigin(cache, references, source);
    if (folder !== undefined) {
      return this.pullFiles(from, options, (placing) => this.#parts.endpoints.folder(folder, placing));
    }
    const name = to?.tag ?? (to && defaultName(references, to, from));
    const tags = options.tags ?? (name === undefined ? [] : [name]);
    return this.#move(from, to, { ...options, tags });
  }

  async pushFiles(
    files: readonly FileInput[],
    destination: string,
    { artifactType, annotations, ...options }: PushFilesOptions,
  ): Promise<MoveReport> {
    const { endpoints, references } = this.#parts;
    const to = references.parseMovable(destination, "destination");
    const { FilesSource } = await import("@mote/layout");
    const source = new FilesSource(files, { artifactType, annotations });
    const tags = to.tag === undefined ? [] : [to.tag];
    const moving = { ...options, refs: [""], tags, verify: onlyOf(to.digest) };
    const report = await this.transfer(source, await endpoints.destination(to, options), moving);
    const isStream = references.isStream(to);
    if (!isStream) await this.nameImage(references.nameInCache(to), report);
    return withReferences(references, report, undefined, isStream ? undefined : to);
  }

  /** Fetches a manifest and its content into the cache by digest, and sets no name, as the tag of the source may have moved. */
  async complete(ref: Ref, digest: Digest, { signal, concurrency, onEvent }: RepairOptions): Promise<TransferReport> {
    const { endpoints } = this.#parts;
    const source = await endpoints.source(ref);
    await endpoints.prepare(source, ref, { signal });
    return this.transfer(source, undefined, {
      signal,
      concurrency,
      onEvent,
      refs: [{ ...ref, digest }],
      // A digest as a tag sets no name.
      tags: [digest],
    });
  }

  /** A local destination gets the original index of several platforms, then incomplete, and a registry a new index of these platforms. */
  async #move(from: Origin, to: Ref | undefined, options: PullOptions): Promise<MoveReport> {
    const { platform: wanted, tags = [], verify, delta, ...moving } = options;
    const { endpoints, references } = this.#parts;
    const platforms = typeof wanted === "string" ? [wanted] : (wanted ?? []);
    const isSeveral = platforms.length > 1;
    // In the cache, each platform gets each name.
    const each = platforms.length === 0 || (isSeveral && to !== undefined) ? [undefined] : platforms;
    const named = tags.length === 0 ? [undefined] : tags;
    const roots = each.flatMap((platform) => named.map((tag) => ({ platform, tag })));
    let selected: SelectedPlatforms | undefined;
    await using rebuilder = await openRebuilder(from, this.#parts, { mode: delta });
    const reading = { ...options, platform: isSeveral ? undefined : platforms[0] };
    const report = await readFromOrigin(from, this.#parts, reading, async (source, warn) => {
      const isSelection = isSeveral && to !== undefined;
      selected = isSelection ? selectPlatforms(source, { platforms, newIndex: to.transport === "docker" }) : undefined;
      const destination = to && (await endpoints.destination(to, moving));
      const moved = await this.transfer(selected?.source ?? source, destination, {
        ...moving,
        refs: roots.map(() => from),
        tags: roots.map(({ tag }) => tag),
        platform: roots.flatMap((root) => root.platform ?? []),
        verify: bothOf(onlyOf(to?.digest), verify),
        rebuild: rebuilder?.rebuild,
      });
      const index = selected?.index();
      if (index !== undefined && index.moved.digest !== index.original.digest) {
        const { moved: own, original } = index;
        warn(`the registry has a new index of ${platforms.join(", ")}, ${own.digest}, and not ${original.digest}`);
      }
      return moved;
    });
    if (to !== undefined) await this.nameImage(nameOfOrigin(references, from), report, selected);
    await this.#nameReferrers(from, report);
    return withReferences(references, report, from, to && references.isStream(to) ? undefined : to);
  }

  /** Moves the files of an artifact into the folder that `open` opens. */
  async pullFiles(
    from: Origin,
    options: PullOptions,
    open: (placing: PullOptions) => Promise<FilesDestination>,
  ): Promise<MoveReport> {
    const { references } = this.#parts;
    const { platform: platforms, tags: _, verify, ...moving } = options;
    if (typeof platforms === "object" && platforms.length > 1) throw severalPlatforms(platforms);
    const platform = typeof platforms === "object" ? platforms[0] : platforms;
    const report = await readFromOrigin(from, this.#parts, { ...options, platform }, async (source, warn) => {
      const destination = await open(options);
      return this.transfer(source, destination, {
        ...moving,
        platform,
        // Their blobs have no file names.
        referrers: false,
        refs: [from],
        verify: async (descriptor, manifest, context) => {
          await verify?.(descriptor, manifest, context);
          for (const note of await destination.expect(manifest, { descriptor, signal: context.signal })) warn(note);
        },
      });
    });
    await this.nameImage(nameOfOrigin(references, from), report);
    return withReferences(references, report, from, undefined);
  }

  /** Runs a transfer through the cache, and disposes of the source and the destination. @throws as `transfer` */
  async transfer(
    source: ContentSource,
    destination: ContentDestination | undefined,
    options: Transferring,
  ): Promise<TransferReport> {
    const { transfer } = await import("@mote/transfer");
    const { cache, bic, endpoints, references, logger } = this.#parts;
    const lease = await this.#sizeBound?.lease(options);
    const { maxRate, rates = new RateLimits(maxRate), ...moving } = options;
    let fetchedNothing = false;
    try {
      const report = await transfer({
        ...moving,
        source: limitedSource(source, rates.ofSource(source.ref)),
        destination: destination && limitedSends(destination, rates),
        cache,
        bic,
        refCodec: references.codec,
        openSource: async (ref) => {
          const other = await endpoints.source(ref);
          return limitedSource(other, rates.ofSource(other.ref));
        },
        lease,
        logger,
      });
      fetchedNothing = report.fetched.count === 0 && report.manifests.fetched === 0;
      return report;
    } finally {
      if (fetchedNothing) await lease?.release();
      else this.#sizeBound?.restore(lease);
      await source[Symbol.asyncDispose]?.();
      await destination?.[Symbol.asyncDispose]?.();
    }
  }

  /**
   * Names the image in the cache, to find it without the registry and prune it as a whole. An index of which only some platforms were moved is
   * stored with all its entries.
   */
  async nameImage(name: string | undefined, report: TransferReport, selected?: SelectedPlatforms): Promise<void> {
    const { cache, logger } = this.#parts;
    const index = selected?.index();
    if (index !== undefined) {
      await writeMote(cache, index.original, index.bytes).catch((error: unknown) =>
        logger.warn("cannot store the index of an image", { error }),
      );
    }
    const root = index?.original ?? report.refs[0]?.resolved;
    if (name !== undefined && root !== undefined) await this.name(name, root);
  }

  /** Names referrers in the cache that belong to the image by their tag. */
  async #nameReferrers(from: Origin, { referrers }: TransferReport): Promise<void> {
    if (typeof from === "string") return;
    const { references } = this.#parts;
    for (const { tag, descriptor } of referrers) {
      if (tag !== undefined) await this.name(references.nameInCache(otherTag(from, tag)), descriptor);
    }
  }

  /** Names a stored manifest in the cache. */
  async name(name: string, descriptor: Descriptor): Promise<void> {
    const { cache, tags, logger } = this.#parts;
    if (!(await cache.moteExists(descriptor.digest))) return;
    try {
      await tags.tag(name, descriptor);
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      logger.warn(`cannot name ${name} in the cache: ${error.message}`);
    }
  }
}

type Verify = TransferOptions["verify"];

function bothOf(first: Verify, second: Verify): NonNullable<Verify> {
  return async (...root) => {
    await first?.(...root);
    await second?.(...root);
  };
}

function severalPlatforms(platforms: readonly string[]): MoteError {
  const wanted = platforms.join(", ");
  return new MoteError("MOTE_NO_PLATFORM", `a directory gets the files of one platform; choose one of ${wanted}`, {
    details: { wanted },
  });
}
