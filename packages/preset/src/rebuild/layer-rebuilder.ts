import { type Digest, MoteError } from "@mote/core";
import type { LayerRecipe, Replayed } from "@mote/delta";
import type { MissingLayer, RebuildLayer } from "@mote/transfer";
import type { Parts } from "../parts.js";
import { ImageDeltas, type UsableDelta } from "./image-deltas.js";
import { knownEncoder, recordEncoder } from "./known-encoder.js";
import { chunksInTime, inTime, minimumRate, TooSlow } from "./minimum-rate.js";
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
/** How long making a layer may take if the link does not matter: so many seconds, and one for each so many bytes of the layer. */
const moreSeconds = 60;
const bytesPerSecond = 500_000;
/** How much faster than the link an encoder has to be, because both rates are estimates. */
const margin = 2;

export interface LayerRebuilderOptions {
  /** The name in the cache of the image that is pulled; undefined if it has none. */
  readonly name: string | undefined;
  readonly mode: DeltaMode;
  readonly queue: RebuildQueue;
}

export interface LayerRebuilder extends AsyncDisposable {
  /** @throws what the cache, the blob-info cache, the source and the encoders throw */
  readonly rebuild: RebuildLayer;
}

/** Returns what makes layers from the same content in another form in the cache, or from an older image and a delta. */
export function layerRebuilder(parts: Parts, { name, mode, queue }: LayerRebuilderOptions): LayerRebuilder {
  const { cache, logger } = parts;
  const forms = new StoredForms(parts, name);
  const deltas = new ImageDeltas(parts, forms);
  /** The first measurement of the link, in bytes per second. */
  let linkRate: number | undefined;

  const sampleOf = async (layer: MissingLayer): Promise<Sample> => {
    const bytes = Math.min(Math.floor(layer.descriptor.size / 128), maxSampleBytes);
    const sample = await readSample(layer.start(bytes), bytes);
    if (Number.isFinite(sample.bytesPerSecond)) linkRate ??= sample.bytesPerSecond;
    return sample;
  };

  /** Returns how long making a layer may take, according to the link; with "always", until `endMs`. */
  const maxSecondsFor = async (layer: MissingLayer, endMs: number): Promise<number> => {
    if (mode === "always") return (endMs - performance.now()) / 1000;
    if (linkRate === undefined) await sampleOf(layer);
    return layer.descriptor.size / (margin * (linkRate ?? Number.POSITIVE_INFINITY));
  };

  /** A request for deltas takes time: unless they are wanted, they are looked for only if another image of the repository is stored. */
  const findDelta = async (layer: MissingLayer): Promise<UsableDelta | undefined> => {
    const mayHelp = mode === "always" || (await forms.hasRepository({ signal: layer.signal }));
    return mayHelp ? deltas.find(layer) : undefined;
  };

  /** Makes a layer as a delta says. Whatever is wrong with the delta is a warning. */
  const fromDelta = async (
    layer: MissingLayer,
    delta: UsableDelta,
    { encoder: wanted, header, diff }: LayerRecipe,
    form: Digest | undefined,
    endMs: number,
  ): Promise<Replayed | undefined> => {
    const { descriptor, signal } = layer;
    // Its content is stored, or only the diff says how to make it; and a diff is of no use if it is not smaller.
    if (delta.isRejected || (form === undefined && (diff === undefined || diff.size >= descriptor.size)))
      return undefined;
    try {
      const { applyTarDiff, maxContentBytes, replayWith } = await import("@mote/delta");
      const { uncompressedBlob } = await import("@mote/layout");
      const uncompress = (zstd: AsyncIterable<Uint8Array>) =>
        uncompressedBlob(zstd, `the diff of ${delta.digest}`, { signal });
      const encoder = (await queue.encoders()).find((each) => each.name === wanted);
      if (encoder === undefined) throw unknownEncoder(wanted);
      const maxSeconds = await maxSecondsFor(layer, endMs);
      if (maxSeconds <= 0) return undefined;
      const maxBytes = maxContentBytes(descriptor.size);
      const startedMs = performance.now();
      const old = form === undefined ? await inTime(delta.oldFiles(), maxSeconds) : undefined;
      const leftSeconds = maxSeconds - (performance.now() - startedMs) / 1000;
      if (leftSeconds <= 0) throw new TooSlow();
      const chunks = () =>
        old === undefined || diff === undefined
          ? storedContent(cache, form ?? descriptor.digest, { signal })()
          : applyTarDiff(layer.blob(diff), old, { maxBytes, uncompress, signal });
      // With "auto", the rate of the output decides about stored content.
      const isTimed = mode === "always" || form === undefined;
      const content = () => (isTimed ? chunksInTime(chunks(), leftSeconds) : chunks());
      const onBytes = minimumRate(mode === "always" ? 0 : descriptor.size / leftSeconds, layer.progress);
      const replaying = { wanted: descriptor, start: header, content, cache, onBytes, signal };
      const replayed = await replayWith(encoder, replaying);
      if (replayed === undefined) throw otherBytes(descriptor.digest);
      return replayed;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TooSlow) throw error;
      delta.isRejected = true;
      layer.warn(`cannot use the delta ${delta.digest}; fetching the layers`, error);
      return undefined;
    }
  };

  const unlessTooSlow = async <Result>({ descriptor }: MissingLayer, work: Promise<Result>) => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof TooSlow)) throw error;
      logger.debug(`making ${descriptor.digest} takes longer than it is worth`);
      return undefined;
    }
  };

  /** Makes a layer from its stored content with the encoder that reproduces it. */
  const fromForm = async (layer: MissingLayer, form: Digest, endMs: number): Promise<Replayed | undefined> => {
    const { descriptor, signal, progress: onBytes } = layer;
    const { replay, replayWith } = await import("@mote/delta");
    const encoders = await queue.encoders();
    const stored = storedContent(cache, form, { signal });
    // With "auto", the rate of the start decides.
    const content = () => (mode === "always" ? chunksInTime(stored(), (endMs - performance.now()) / 1000) : stored());
    const options = { wanted: descriptor, content, cache, onBytes, signal };
    const known = await knownEncoder(parts, descriptor.digest, { signal });
    const encoder = encoders.find((each) => each.name === known);
    if (mode === "always" && encoder !== undefined) {
      const replayed = await replayWith(encoder, { ...options, start: new Uint8Array() });
      if (replayed !== undefined) return replayed;
    }
    const sample = await sampleOf(layer);
    const minBytesPerSecond = mode === "always" ? 0 : margin * sample.bytesPerSecond;
    if (minBytesPerSecond === Number.POSITIVE_INFINITY) return undefined;
    return replay({ ...options, start: sample.bytes.subarray(0, maxStartBytes), encoders, minBytesPerSecond });
  };

  const rebuild = async (layer: MissingLayer): Promise<boolean> => {
    const { descriptor, signal } = layer;
    if (descriptor.size < minBytes || (await forms.isEmpty({ signal }))) return false;
    const [delta, diffId] = await Promise.all([findDelta(layer), layer.diffId()]);
    const [form] = diffId === undefined ? [] : await forms.of(diffId, { signal });
    const recipe = delta?.recipes.get(descriptor.digest);
    if (form === undefined && recipe === undefined) return false;
    const make = async () => {
      const endMs = performance.now() + 1000 * (moreSeconds + descriptor.size / bytesPerSecond);
      const replayed =
        (delta === undefined || recipe === undefined
          ? undefined
          : await unlessTooSlow(layer, fromDelta(layer, delta, recipe, form, endMs))) ??
        (form === undefined ? undefined : await unlessTooSlow(layer, fromForm(layer, form, endMs)));
      if (replayed !== undefined) await recordEncoder(parts, descriptor.digest, replayed, form);
      return replayed !== undefined;
    };
    return queue.run(() => rebuildOnce(cache, descriptor.digest, make, signal), signal);
  };

  return { rebuild, [Symbol.asyncDispose]: () => deltas[Symbol.asyncDispose]() };
}

function unknownEncoder(name: string): MoteError {
  return new MoteError("MOTE_UNSUPPORTED_FORMAT", `this release has no encoder ${name}; use a newer one`, {
    details: { encoder: name },
  });
}

function otherBytes(digest: Digest): MoteError {
  return new MoteError("MOTE_DIGEST_MISMATCH", `its output does not match ${digest}`, { details: { digest } });
}
