import { type Descriptor, type Digest, inFlightFetch, manifestKind, readDiffIds, untilAborted } from "@mote/core";
import type { ConfigReader } from "./config-reader.js";
import type { Graph } from "./graph.js";
import type { Job } from "./job.js";

/** A layer that the cache lacks. */
export interface MissingLayer {
  readonly descriptor: Descriptor;
  readonly signal: AbortSignal;
  /**
   * Returns the digest of its uncompressed content as the image's config states it, which nothing has verified; undefined if it states none.
   * @throws what the source throws
   */
  diffId(): Promise<Digest | undefined>;
  /** Yields the first bytes of the layer from the source: `bytes` of them, or all. @throws what the source throws */
  start(bytes: number): AsyncIterable<Uint8Array>;
}

/** Makes a layer in the cache from other content there. Returns whether it did. */
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
    { readonly config: Descriptor; readonly position: number; readonly count: number }
  >();

  constructor(job: Job, configs: ConfigReader, rebuild: RebuildLayer, graph: Graph) {
    this.#job = job;
    this.#configs = configs;
    this.#rebuild = rebuild;
    for (const { manifest } of graph.manifests.flat()) {
      if (manifest.kind !== "manifest" || manifest.config === undefined || manifestKind(manifest) !== "image") continue;
      const { config, layers } = manifest;
      for (const [position, { digest }] of layers.entries()) {
        this.#listed.set(digest, { config, position, count: layers.length });
      }
    }
  }

  /** Returns whether the layer is in the cache now. Errors are logged, because the layer can be fetched. */
  async run(descriptor: Descriptor, signal: AbortSignal): Promise<boolean> {
    if (!this.#listed.has(descriptor.digest)) return false;
    const layer: MissingLayer = {
      descriptor,
      signal,
      diffId: () => this.#diffId(descriptor.digest),
      start: (bytes) => this.#start(descriptor, bytes, signal),
    };
    try {
      return await this.#rebuild(layer);
    } catch (error) {
      signal.throwIfAborted();
      this.#job.logger.debug(`cannot rebuild ${descriptor.digest}; fetching it`, { error });
      return false;
    }
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
}
