import { LAYER_SCOPE } from "@mote/core";
import type { Encoders, Replayed } from "@mote/delta";
import type { MissingLayer } from "@mote/transfer";
import type { Parts } from "../parts.js";
import { readSample } from "./sample.js";
import { StoredForms } from "./stored-forms.js";

/** When layers are rebuilt: if that is faster than the link, whenever it is possible, or not at all. */
export type DeltaMode = "auto" | "always" | "never";

/** Smaller layers are fetched as soon as they are requested. */
const minBytes = 256 * 1024;
const maxSampleBytes = 128 * 1024;
/** How much faster than the link an encoder has to be, because both rates are estimates. */
const margin = 2;

/** Makes layers from the same content in another form in the cache. One at a time, because an encoder keeps a core busy. */
export class LayerRebuilder implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #mode: DeltaMode;
  readonly #forms: StoredForms;
  #encoders: Encoders | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** @param name the name in the cache of the image that is pulled */
  constructor(parts: Parts, name: string, mode: DeltaMode) {
    this.#parts = parts;
    this.#mode = mode;
    this.#forms = new StoredForms(parts, name);
  }

  /** Implements `rebuild` of a transfer. @throws what the cache, the blob-info cache, the source and the encoders throw */
  async rebuild(layer: MissingLayer): Promise<boolean> {
    const { descriptor, signal } = layer;
    if (descriptor.size < minBytes || (await this.#forms.isEmpty({ signal }))) return false;
    const diffId = await layer.diffId();
    const forms = diffId === undefined ? [] : await this.#forms.of(diffId, { signal });
    const [form] = forms;
    if (form === undefined) return false;
    const previous = this.#last;
    const replaying = (async () => {
      await previous.catch(() => {});
      signal.throwIfAborted();
      return this.#replay(layer, form);
    })();
    this.#last = replaying;
    const replayed = await replaying;
    if (replayed === undefined) return false;
    await this.#record(layer, form, replayed);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.#encoders?.[Symbol.asyncDispose]();
  }

  async #replay(layer: MissingLayer, form: MissingLayer["descriptor"]["digest"]): Promise<Replayed | undefined> {
    const { descriptor, signal } = layer;
    const { cache } = this.#parts;
    const { builtInEncoders, replay, replayWith } = await import("@mote/delta");
    const { uncompressedBlob } = await import("@mote/layout");
    this.#encoders ??= builtInEncoders();
    const encoders = this.#encoders.list;
    async function* content() {
      await using reader = await cache.moteReader(form, { countsAsUse: false, signal });
      yield* uncompressedBlob(reader, `the layer ${form}`, { signal });
    }
    const options = { wanted: descriptor, content, cache, signal };
    const known = await this.#knownEncoder(layer);
    const encoder = encoders.find(({ name }) => name === known);
    if (this.#mode === "always" && encoder !== undefined) {
      const replayed = await replayWith(encoder, { ...options, start: new Uint8Array() });
      if (replayed !== undefined) return replayed;
    }
    const sample = await readSample(layer.start(Math.min(descriptor.size >> 7, maxSampleBytes)));
    const minBytesPerSecond = this.#mode === "always" ? 0 : margin * sample.bytesPerSecond;
    if (minBytesPerSecond === Number.POSITIVE_INFINITY) return undefined;
    return replay({ ...options, start: sample.bytes, encoders, minBytesPerSecond });
  }

  /** Returns the name of the encoder that made the layer once. */
  async #knownEncoder({ descriptor, signal }: MissingLayer): Promise<string | undefined> {
    const { bic, references } = this.#parts;
    const query = { canSubstitute: false, includeUnknownLocations: true, signal };
    for (const transport of references.codec.transports) {
      const [found] = await bic.candidateLocations(transport, LAYER_SCOPE, descriptor.digest, query);
      if (found !== undefined) return found.transformerName;
    }
    return undefined;
  }

  /** Records what was verified: which content the layer and its other form have, and how the layer was made. */
  async #record({ descriptor }: MissingLayer, form: MissingLayer["descriptor"]["digest"], replayed: Replayed) {
    const { bic, logger } = this.#parts;
    const { contentDigest, encoder } = replayed;
    try {
      await bic.recordDigestUntransformedPair(descriptor.digest, contentDigest);
      await bic.recordDigestUntransformedPair(form, contentDigest);
      await bic.recordDigestTransformerName(descriptor.digest, encoder);
    } catch (error) {
      logger.debug(`cannot record how ${descriptor.digest} was made`, { error });
    }
  }
}
