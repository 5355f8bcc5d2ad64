import {
  type Cancellable,
  type Descriptor,
  type Digest,
  MoteError,
  readDiffIds,
  readManifest,
  readMote,
} from "@mote/core";
import type { DeltaArtifact, LayerRecipe, OldFiles } from "@mote/delta";
import type { MissingLayer } from "@mote/transfer";
import { temporaryFolder } from "../files/temporary-folder.js";
import type { Parts } from "../parts.js";
import { maxConfigBytes, type StoredForms } from "./stored-forms.js";
import { storedContent } from "./stored-layer.js";

/** How many referrers of an image are looked at. */
const maxReferrers = 1000;
/** How many deltas of an image are read. */
const maxDeltas = 8;
/** The largest uncompressed size of the old layers, in bytes. */
export const maxOldBytes = 32 * 1024 ** 3;

/** A delta of an image, from an image that is stored. */
export interface UsableDelta {
  readonly digest: Digest;
  readonly recipes: ReadonlyMap<Digest, LayerRecipe>;
  /** The files of the other image. @throws what the cache throws, and if its layers are not valid or too large */
  oldFiles(): Promise<OldFiles>;
  /** Set if something was wrong with it. */
  isRejected: boolean;
}

type Candidate = Pick<UsableDelta, "digest" | "recipes"> & {
  readonly layers: readonly Digest[];
  readonly bytes: number;
};

/** Finds the deltas of images among their referrers. */
export class ImageDeltas implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #forms: StoredForms;
  readonly #found = new Map<Digest, Promise<UsableDelta | undefined>>();
  readonly #opened: AsyncDisposable[] = [];
  readonly #openings: Promise<OldFiles>[] = [];
  readonly #end = new AbortController();

  constructor(parts: Parts, forms: StoredForms) {
    this.#parts = parts;
    this.#forms = forms;
  }

  /** Returns the smallest delta of the image of a layer; undefined if there is none from a stored image. Warns of those that are not valid. */
  find(layer: MissingLayer): Promise<UsableDelta | undefined> {
    const { digest } = layer.image;
    const finding = this.#found.get(digest) ?? this.#find(layer);
    this.#found.set(digest, finding);
    return finding;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await Promise.allSettled([...this.#found.values(), ...this.#openings]);
    for (const opened of this.#opened.splice(0).reverse()) await opened[Symbol.asyncDispose]();
  }

  async #find(layer: MissingLayer): Promise<UsableDelta | undefined> {
    const candidates: Candidate[] = [];
    for (const referrer of await this.#listed(layer)) {
      const candidate = await this.#read(layer, referrer);
      if (candidate !== undefined) candidates.push(candidate);
    }
    const [best] = candidates.toSorted((one, other) => one.bytes - other.bytes);
    if (best === undefined) return undefined;
    const { signal } = layer;
    let opening: Promise<OldFiles> | undefined;
    const oldFiles = () => {
      if (opening === undefined) {
        opening = this.#open(best.layers, { signal: AbortSignal.any([signal, this.#end.signal]) });
        this.#openings.push(opening);
      }
      return opening;
    };
    return { digest: best.digest, recipes: best.recipes, oldFiles, isRejected: false };
  }

  /** Returns the referrers that are deltas, those from images of the cache first. */
  async #listed(layer: MissingLayer): Promise<readonly Descriptor[]> {
    const { deltaArtifactType, maxDeltaManifestBytes, sourceConfigOf } = await import("@mote/delta");
    const { cache, logger } = this.#parts;
    const { signal } = layer;
    const stored: Descriptor[] = [];
    const unknown: Descriptor[] = [];
    let count = 0;
    try {
      for await (const referrer of layer.referrers()) {
        if (++count > maxReferrers) break;
        if (referrer.artifactType !== deltaArtifactType || referrer.size > maxDeltaManifestBytes) continue;
        const config = sourceConfigOf(referrer);
        if (config === undefined) unknown.push(referrer);
        else if (await cache.moteExists(config, { signal })) stored.push(referrer);
      }
    } catch (error) {
      signal.throwIfAborted();
      logger.debug(`cannot list the deltas of ${layer.image.digest}`, { error });
    }
    return [...stored, ...unknown].slice(0, maxDeltas);
  }

  async #read(layer: MissingLayer, { digest, size, mediaType }: Descriptor): Promise<Candidate | undefined> {
    const { parseDelta } = await import("@mote/delta");
    const { signal } = layer;
    try {
      const delta = parseDelta(await layer.manifest({ digest, size, mediaType }));
      if (delta.subject.digest !== layer.image.digest) throw ofAnother(delta.subject.digest);
      const layers = await this.#oldLayers(delta, { signal });
      if (layers === undefined) return undefined;
      const recipes = new Map(delta.recipes.map((recipe) => [recipe.layer, recipe]));
      const bytes = delta.recipes.reduce((sum, { diff }) => sum + (diff?.size ?? 0), 0);
      return { digest, recipes, layers, bytes };
    } catch (error) {
      signal.throwIfAborted();
      layer.warn(`cannot use the delta ${digest}; fetching the layers`, error);
      return undefined;
    }
  }

  /** Returns the stored layers of the image that a delta is made from; undefined if one is missing. */
  async #oldLayers(
    { source, sourceConfig }: DeltaArtifact,
    { signal }: Cancellable,
  ): Promise<readonly Digest[] | undefined> {
    const { cache } = this.#parts;
    if (!(await cache.moteExists(sourceConfig, { signal }))) return undefined;
    const config = await readMote(cache, sourceConfig, { maxBytes: maxConfigBytes, countsAsUse: false, signal });
    const diffIds = readDiffIds(config) ?? [];
    const manifest = (await cache.moteExists(source, { signal }))
      ? await readManifest(cache, { digest: source }, { countsAsUse: false, signal })
      : undefined;
    const isItsConfig = manifest?.kind === "manifest" && manifest.config?.digest === sourceConfig;
    const listed = isItsConfig && manifest.layers.length === diffIds.length ? manifest.layers : [];
    const layers: Digest[] = [];
    for (const [at, diffId] of diffIds.entries()) {
      const named = listed[at]?.digest;
      if (named !== undefined && (await cache.moteExists(named, { signal }))) layers.push(named);
      else {
        const [form] = diffId === undefined ? [] : await this.#forms.of(diffId, { signal });
        if (form === undefined) return undefined;
        layers.push(form);
      }
    }
    return layers;
  }

  async #open(layers: readonly Digest[], { signal }: { readonly signal: AbortSignal }): Promise<OldFiles> {
    const { OldFiles } = await import("@mote/delta");
    const { cache } = this.#parts;
    const folder = await temporaryFolder(cache, { signal });
    this.#opened.push(folder);
    const contents = layers.map((digest) => storedContent(cache, digest, { signal }));
    const files = await OldFiles.open(contents, { dir: folder.path, maxBytes: maxOldBytes, signal });
    this.#opened.push(files);
    return files;
  }
}

function ofAnother(subject: Digest): MoteError {
  return new MoteError("MOTE_INVALID_MANIFEST", `it is a delta of another image, ${subject}`, { details: { subject } });
}
