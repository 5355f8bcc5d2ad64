import { type Digest, MoteError } from "@mote/core";
import type { LayerRecipe, Replayed } from "@mote/delta";
import type { MissingLayer } from "@mote/transfer";
import type { Parts } from "../parts.js";
import { ImageDeltas, type UsableDelta } from "./image-deltas.js";
import { knownEncoder, recordEncoder } from "./known-encoder.js";
import { inTime, minimumRate, TooSlow } from "./minimum-rate.js";
import { rebuildOnce } from "./rebuild-once.js";
import type { RebuildQueue } from "./rebuild-queue.js";
import { readSample, type Sample } from "./sample.js";
import { StoredForms } from "./stored-forms.js";
import { storedContent } from "./stored-layer.js";

/** When layers are rebuilt: if that is faster than the link, whenever it is possible, or not at all. */
export type DeltaMode = "auto" | "always" | "never";

/** Smaller layers are fetched as soon as they are requested. */
const minBytes = 256 * 1024;
/** Much more than what arrives while a connection is slow at its start. */
const maxSampleBytes = 1024 * 1024;
/** From so many of them encoders are chosen. */
const maxStartBytes = 128 * 1024;
/** How much faster than the link an encoder has to be, because both rates are estimates. */
const margin = 2;

export interface LayerRebuilderOptions {
  /** The name in the cache of the image that is pulled; undefined if it has none. */
  readonly name: string | undefined;
  readonly mode: DeltaMode;
  readonly queue: RebuildQueue;
}

/** Makes layers from the same content in another form in the cache, or from an older image and a delta. */
export class LayerRebuilder implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #mode: DeltaMode;
  readonly #queue: RebuildQueue;
  readonly #forms: StoredForms;
  readonly #deltas: ImageDeltas;
  #linkRate: number | undefined;

  constructor(parts: Parts, { name, mode, queue }: LayerRebuilderOptions) {
    this.#parts = parts;
    this.#mode = mode;
    this.#queue = queue;
    this.#forms = new StoredForms(parts, name);
    this.#deltas = new ImageDeltas(parts, this.#forms);
  }

  /** Implements `rebuild` of a transfer. @throws what the cache, the blob-info cache, the source and the encoders throw */
  async rebuild(layer: MissingLayer): Promise<boolean> {
    const { descriptor, signal } = layer;
    if (descriptor.size < minBytes || (await this.#forms.isEmpty({ signal }))) return false;
    const [delta, diffId] = await Promise.all([this.#delta(layer), layer.diffId()]);
    const [form] = diffId === undefined ? [] : await this.#forms.of(diffId, { signal });
    const recipe = delta?.recipes.get(descriptor.digest);
    if (form === undefined && recipe === undefined) return false;
    const make = async () => {
      const replayed =
        (delta === undefined || recipe === undefined ? undefined : await this.#fromDelta(layer, delta, recipe, form)) ??
        (form === undefined ? undefined : await this.#replay(layer, form));
      if (replayed !== undefined) await recordEncoder(this.#parts, descriptor.digest, replayed, form);
      return replayed !== undefined;
    };
    return this.#queue.run(() => rebuildOnce(this.#parts.cache, descriptor.digest, make, signal), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deltas[Symbol.asyncDispose]();
  }

  /** A request for deltas takes time: unless they are wanted, they are looked for only if another image of the repository is stored. */
  async #delta(layer: MissingLayer): Promise<UsableDelta | undefined> {
    const mayHelp = this.#mode === "always" || (await this.#forms.hasRepository({ signal: layer.signal }));
    return mayHelp ? this.#deltas.find(layer) : undefined;
  }

  /** Makes a layer as a delta says. Whatever is wrong with the delta is a warning. */
  async #fromDelta(
    layer: MissingLayer,
    delta: UsableDelta,
    { encoder: name, header, diff }: LayerRecipe,
    form: Digest | undefined,
  ): Promise<Replayed | undefined> {
    const { descriptor, signal } = layer;
    const { cache, logger } = this.#parts;
    // Its content is stored, or only the diff says how to make it; and a diff is of no use if it is not smaller.
    if (delta.isRejected || (form === undefined && (diff === undefined || diff.size >= descriptor.size)))
      return undefined;
    try {
      const { applyTarDiff, maxContentBytes, replayWith } = await import("@mote/delta");
      const { uncompressedBlob } = await import("@mote/layout");
      const uncompress = (zstd: AsyncIterable<Uint8Array>) =>
        uncompressedBlob(zstd, `the diff of ${delta.digest}`, { signal });
      const encoder = (await this.#queue.encoders()).find((each) => each.name === name);
      if (encoder === undefined) throw unknownEncoder(name);
      const maxSeconds = await this.#maxSeconds(layer);
      if (maxSeconds === 0) return undefined;
      const maxBytes = maxContentBytes(descriptor.size);
      const startedMs = performance.now();
      const old = form === undefined ? await inTime(delta.oldFiles(), maxSeconds) : undefined;
      const leftSeconds = maxSeconds - (performance.now() - startedMs) / 1000;
      if (leftSeconds <= 0) throw new TooSlow();
      const content = () =>
        old === undefined || diff === undefined
          ? storedContent(cache, form ?? descriptor.digest, { signal })()
          : applyTarDiff(layer.blob(diff), old, { maxBytes, uncompress, signal });
      const onBytes = minimumRate(descriptor.size / leftSeconds, layer.progress);
      const replayed = await replayWith(encoder, {
        wanted: descriptor,
        start: header,
        content,
        cache,
        onBytes,
        signal,
      });
      if (replayed === undefined) throw otherBytes(descriptor.digest);
      return replayed;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TooSlow) {
        logger.debug(`making ${descriptor.digest} is slower than fetching it`);
        return undefined;
      }
      delta.isRejected = true;
      layer.warn(`cannot use the delta ${delta.digest}; fetching the layers`, error);
      return undefined;
    }
  }

  /** Makes a layer from its stored content with the encoder that reproduces it. */
  async #replay(layer: MissingLayer, form: Digest): Promise<Replayed | undefined> {
    const { descriptor, signal, progress: onBytes } = layer;
    const { cache } = this.#parts;
    const { replay, replayWith } = await import("@mote/delta");
    const encoders = await this.#queue.encoders();
    const content = storedContent(cache, form, { signal });
    const options = { wanted: descriptor, content, cache, onBytes, signal };
    const known = await knownEncoder(this.#parts, descriptor.digest, { signal });
    const encoder = encoders.find(({ name }) => name === known);
    if (this.#mode === "always" && encoder !== undefined) {
      const replayed = await replayWith(encoder, { ...options, start: new Uint8Array() });
      if (replayed !== undefined) return replayed;
    }
    const sample = await this.#sample(layer);
    const minBytesPerSecond = this.#mode === "always" ? 0 : margin * sample.bytesPerSecond;
    if (minBytesPerSecond === Number.POSITIVE_INFINITY) return undefined;
    return replay({ ...options, start: sample.bytes.subarray(0, maxStartBytes), encoders, minBytesPerSecond });
  }

  /** Returns how long making a layer may take, according to the first measurement of the link. */
  async #maxSeconds(layer: MissingLayer): Promise<number> {
    if (this.#mode === "always") return Number.POSITIVE_INFINITY;
    if (this.#linkRate === undefined) await this.#sample(layer);
    return layer.descriptor.size / (margin * (this.#linkRate ?? Number.POSITIVE_INFINITY));
  }

  async #sample(layer: MissingLayer): Promise<Sample> {
    const bytes = Math.min(Math.floor(layer.descriptor.size / 128), maxSampleBytes);
    const sample = await readSample(layer.start(bytes), bytes);
    if (Number.isFinite(sample.bytesPerSecond)) this.#linkRate ??= sample.bytesPerSecond;
    return sample;
  }
}

function unknownEncoder(name: string): MoteError {
  return new MoteError("MOTE_UNSUPPORTED_FORMAT", `this release has no encoder ${name}; use a newer one`, {
    details: { encoder: name },
  });
}

function otherBytes(digest: Digest): MoteError {
  return new MoteError("MOTE_DIGEST_MISMATCH", `its output does not match ${digest}`, { details: { digest } });
}
