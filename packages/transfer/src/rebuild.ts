import {
  chunksUntilAborted,
  type Descriptor,
  type Digest,
  inFlightFetch,
  manifestKind,
  readDiffIds,
  untilAborted,
} from "@mote/core";
import type { ConfigReader } from "./config-reader.js";
import type { Graph } from "./graph.js";
import type { Job } from "./job.js";
import { reportProgress } from "./progress.js";

/** A layer that the cache lacks. */
export interface MissingLayer {
  readonly descriptor: Descriptor;
  /** The manifest of the image that lists it. */
  readonly image: Descriptor;
  readonly signal: AbortSignal;
  /**
   * Returns the digest of its uncompressed content as the image's config states it, which nothing has verified; undefined if it states none.
   * @throws what the source throws
   */
  diffId(): Promise<Digest | undefined>;
  /** Yields the first bytes of the layer from the source: `bytes` of them, or all. @throws what the source throws */
  start(bytes: number): AsyncIterable<Uint8Array>;
  /** Lists the referrers of the image at the source. They are not verified. @throws what the source throws */
  referrers(): AsyncIterable<Descriptor>;
  /** Reads a manifest from the source, and verifies it. @throws what the source throws */
  manifest(descriptor: Descriptor): Promise<Uint8Array>;
  /** Yields another blob of the source, which is verified at its end and counted as fetched. @throws what the source throws */
  blob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /** Reports how many bytes of the layer have been made. */
  progress(bytes: number): void;
  /** Reports an error that does not fail the transfer, as a warning. */
  warn(message: string, cause: unknown): void;
}

/** Rebuilds a layer in the cache from other content of the cache and the source. Returns whether it did. */
export type RebuildLayer = (layer: MissingLayer) => Promise<boolean>;

/** Rebuilds the layers of a transfer that the cache lacks. */
export class LayerRebuilding {
  readonly #job: Job;
  readonly #configs: ConfigReader;
  readonly #rebuild: RebuildLayer;
  /** By the digest of the config. */
  readonly #diffIds = new Map<Digest, Promise<ReturnType<typeof readDiffIds>>>();
  /** The config that lists each layer, and at which position. */
  readonly #listed = new Map<
    Digest,
    {
      readonly image: Descriptor;
      readonly config: Descriptor;
      readonly position: number;
      readonly count: number;
    }
  >();

  constructor(job: Job, configs: ConfigReader, rebuild: RebuildLayer, graph: Graph) {
    this.#job = job;
    this.#configs = configs;
    this.#rebuild = rebuild;
    for (const { descriptor: image, manifest } of graph.manifests.flat()) {
      if (manifest.kind !== "manifest" || manifest.config === undefined || manifestKind(manifest) !== "image") continue;
      const { config, layers } = manifest;
      for (const [position, { digest }] of layers.entries()) {
        this.#listed.set(digest, { image, config, position, count: layers.length });
      }
    }
  }

  /**
   * Returns how many bytes were fetched to make the layer, if it is in the cache now; undefined if it has to be fetched itself. Errors are
   * logged for that reason.
   */
  async run(descriptor: Descriptor, signal: AbortSignal): Promise<number | undefined> {
    const listed = this.#listed.get(descriptor.digest);
    if (listed === undefined) return undefined;
    const { digest, size } = descriptor;
    const job = this.#job;
    const report = reportProgress(job, descriptor);
    const state = { fetchedBytes: 0, hasProgress: false };
    const layer: MissingLayer = {
      descriptor,
      image: listed.image,
      signal,
      diffId: () => this.#diffId(digest),
      start: (bytes) => this.#start(descriptor, bytes, signal),
      referrers: () => job.source.referrers?.(listed.image, job.callOptions({ signal })) ?? nothing(),
      manifest: (manifest) => job.source.manifest(manifest, job.callOptions({ signal })),
      blob: (blob) => this.#blob(blob, signal, (bytes) => (state.fetchedBytes += bytes)),
      progress(bytes) {
        state.hasProgress = true;
        report(bytes);
      },
      warn: (message, cause) => job.warn(message, cause, digest),
    };
    try {
      if (await this.#rebuild(layer)) return state.fetchedBytes;
    } catch (error) {
      signal.throwIfAborted();
      job.logger.debug(`cannot rebuild ${digest}; fetching it`, { error });
    }
    if (state.hasProgress) job.emit({ type: "retry", digest, size, reason: "could not rebuild it" });
    return undefined;
  }

  async #diffId(layer: Digest): Promise<Digest | undefined> {
    const listed = this.#listed.get(layer);
    if (listed === undefined) return undefined;
    const { digest } = listed.config;
    const reading = this.#diffIds.get(digest) ?? this.#readDiffIds(listed.config);
    this.#diffIds.set(digest, reading);
    const diffIds = await reading;
    return diffIds?.length === listed.count ? diffIds[listed.position] : undefined;
  }

  async #readDiffIds(config: Descriptor): Promise<ReturnType<typeof readDiffIds>> {
    // The config is moved at the same time, and should not be fetched twice.
    const moving = inFlightFetch(this.#job.cache, config.digest)?.join(this.#job.signal);
    await moving?.catch(() => {});
    return readDiffIds(await this.#configs.read(config));
  }

  async *#start(descriptor: Descriptor, bytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { source } = this.#job;
    const end = Math.min(bytes, descriptor.size);
    const options = { ...this.#job.callOptions({ signal }), end, verifyOnRead: false };
    await using reader = await untilAborted(source.blob(descriptor, options), signal);
    let left = end;
    for await (const chunk of reader) {
      yield chunk.subarray(0, left);
      left -= chunk.byteLength;
      if (left <= 0) return;
    }
  }

  async *#blob(
    descriptor: Descriptor,
    signal: AbortSignal,
    onBytes: (bytes: number) => void,
  ): AsyncGenerator<Uint8Array> {
    const { source, tallies } = this.#job;
    await using reader = await untilAborted(source.blob(descriptor, this.#job.callOptions({ signal })), signal);
    let received = 0;
    try {
      for await (const chunk of chunksUntilAborted(reader, signal)) {
        received += chunk.byteLength;
        yield chunk;
      }
    } finally {
      onBytes(received);
      tallies.add("fetched", descriptor.digest, received);
    }
  }
}

async function* nothing(): AsyncGenerator<never> {}
