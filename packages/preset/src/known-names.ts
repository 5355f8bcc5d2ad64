import {
  type Cancellable,
  type ContentSource,
  configPlatform,
  type Descriptor,
  type Digest,
  formatPlatform,
  isIndexType,
  type Manifest,
  type MoteCache,
  MoteError,
  manifestKind,
  maxManifestBytes,
  parseManifest,
  readMote,
  type TagStore,
} from "@mote/core";
import { KnownReferrers } from "./known-referrers.js";

const unreachable: ReadonlySet<string> = new Set(["MOTE_UNREACHABLE", "MOTE_TIMEOUT", "MOTE_RATE_LIMITED"]);

function isUnreachable(error: unknown): error is MoteError {
  return MoteError.isInstance(error) && unreachable.has(error.code);
}

export interface KnownNamesOptions {
  /** What the cache calls the image. */
  readonly name: string;
  /** What the cache calls another tag of the same source. */
  readonly nameOf: (tag: string) => string;
  readonly cache: MoteCache;
  readonly tags: TagStore;
  /** The only platform that is wanted. */
  readonly platform?: string | undefined;
  /** Told what is used in place of what the source would have said. */
  readonly warn: (message: string, code: string) => void;
}

/**
 * `source`, whose names are answered from the cache when it cannot be reached: what was pulled before works offline. What of it was
 * never fetched is an error then that says so.
 */
export function withKnownNames(source: ContentSource, options: KnownNamesOptions): ContentSource {
  const { name, cache, warn } = options;
  let fallback: { readonly known: Descriptor; readonly error: MoteError } | undefined;
  const isOffline = () => fallback !== undefined;
  const known = new KnownReferrers(source, {
    cache,
    tags: options.tags,
    nameOf: options.nameOf,
    isUnreachable,
    isOffline,
    warn,
  });
  return {
    ref: source.ref,
    async resolve(ref, resolving) {
      try {
        // What was pulled before is as a rule still the same, and its manifest is here.
        const manifestFollows = (await nameHere(options, resolving)) === undefined;
        return await source.resolve(ref, { ...resolving, manifestFollows });
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        const known = await nameHere(options, resolving);
        if (known === undefined) throw error;
        fallback = { known, error };
        const what = options.platform === undefined ? await describeSingle(cache, known) : "";
        warn(`${error.message}; using ${name} as it was pulled before${what}`, error.code);
        return known;
      }
    },
    async manifest(descriptor, reading) {
      try {
        return await source.manifest(descriptor, reading);
      } catch (error) {
        if (!isUnreachable(error) || fallback === undefined || fallback.known.digest === descriptor.digest) throw error;
        throw await notHere(descriptor, fallback.known, error, options);
      }
    },
    blob: (descriptor, reading) => source.blob(descriptor, reading),
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]?.();
    },
    ...(source.referrers ? { referrers: known.referrers.bind(known) } : {}),
    ...(source.taggedReferrers ? { taggedReferrers: known.taggedReferrers.bind(known) } : {}),
    ...(source.readFrom ? { readFrom: source.readFrom.bind(source) } : {}),
    ...(source.distrust ? { distrust: source.distrust.bind(source) } : {}),
  };
}

/** What the name stands for here. A tag that cannot be read is as good as none: it is set again after the pull. */
async function nameHere(
  { name, tags, warn }: KnownNamesOptions,
  options?: Cancellable,
): Promise<Descriptor | undefined> {
  try {
    return await tags.resolve(name, options);
  } catch (error) {
    options?.signal?.throwIfAborted();
    if (!MoteError.isInstance(error) || (error.code !== "MOTE_IO" && error.code !== "MOTE_CORRUPT")) throw error;
    warn(error.message, error.code);
    return undefined;
  }
}

/** A part of an index that was never fetched, or is no longer here, while the source cannot be reached. */
async function notHere(
  wanted: Descriptor,
  known: Descriptor,
  cause: MoteError,
  { name, cache, platform }: KnownNamesOptions,
): Promise<MoteError> {
  const platforms = [...new Set(await platformsHere(cache, known, new Set()))].sort();
  const what = wanted.platform === undefined ? wanted.digest : `${formatPlatform(wanted.platform)} (${wanted.digest})`;
  const here = platforms.length === 0 ? "no platform of it" : platforms.slice(0, 24).join(", ");
  const advice = platform === undefined && platforms.length > 0 ? "; choose one of them with a platform" : "";
  // Whoever asked for everything lacks the source; whoever asked for one platform lacks that.
  return new MoteError(
    platform === undefined ? cause.code : "MOTE_NO_PLATFORM",
    `${name}: ${what} is not in the cache, which has ${here}, and the source cannot be asked: ${cause.message}${advice}`,
    { cause, details: { digest: wanted.digest, ...(platform === undefined ? {} : { wanted: platform }), platforms } },
  );
}

/** Of an index, what of it is in the cache. */
async function platformsHere(cache: MoteCache, index: Descriptor, seen: Set<Digest>): Promise<string[]> {
  if (seen.has(index.digest)) return [];
  seen.add(index.digest);
  const manifest = await readKept(cache, index);
  if (manifest?.kind !== "index") return [];
  const found: string[] = [];
  for (const child of manifest.manifests) {
    if (isIndexType(child.mediaType)) found.push(...(await platformsHere(cache, child, seen)));
    else if (child.platform !== undefined && (await cache.moteExists(child.digest)))
      found.push(formatPlatform(child.platform));
  }
  return found;
}

/** An earlier release let a name stand for the last platform that was pulled: which one it is has to be said. */
async function describeSingle(cache: MoteCache, known: Descriptor): Promise<string> {
  const manifest = isIndexType(known.mediaType) ? undefined : await readKept(cache, known);
  if (manifest?.kind !== "manifest" || manifestKind(manifest) !== "image") return "";
  const config = manifest.config && (await readOrNothing(cache, manifest.config.digest));
  const platform = config && configPlatform(config);
  return platform === undefined ? "" : `, a single image for ${formatPlatform(platform)}`;
}

async function readKept(cache: MoteCache, { digest, mediaType }: Descriptor): Promise<Manifest | undefined> {
  const bytes = await readOrNothing(cache, digest);
  if (bytes === undefined) return undefined;
  try {
    return parseManifest(bytes, mediaType);
  } catch {
    return undefined;
  }
}

/** Only a message depends on it: whatever is wrong with it, the transfer itself finds out. */
async function readOrNothing(cache: MoteCache, digest: Digest): Promise<Uint8Array | undefined> {
  try {
    return await readMote(cache, digest, { maxBytes: maxManifestBytes, countsAsUse: false });
  } catch {
    return undefined;
  }
}
