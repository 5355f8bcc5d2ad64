import { type ContentSource, type Logger, MoteError, type TagStore } from "@mote/core";

const unreachable: ReadonlySet<string> = new Set(["MOTE_UNREACHABLE", "MOTE_TIMEOUT", "MOTE_RATE_LIMITED"]);

/** `source`, whose names are answered from the cache when it cannot be reached: what was pulled before works offline. */
export function withKnownNames(source: ContentSource, name: string, tags: TagStore, logger: Logger): ContentSource {
  return {
    ref: source.ref,
    async resolve(ref, options) {
      try {
        // What was pulled before is as a rule still the same, and its manifest is here.
        const manifestFollows = (await tags.resolve(name, options)) === undefined;
        return await source.resolve(ref, { ...options, manifestFollows });
      } catch (error) {
        if (!MoteError.isInstance(error) || !unreachable.has(error.code)) throw error;
        const known = await tags.resolve(name, options);
        if (known === undefined) throw error;
        logger.warn(`${error.message}; using ${name} as it was pulled before`);
        return known;
      }
    },
    manifest: (descriptor, options) => source.manifest(descriptor, options),
    blob: (descriptor, options) => source.blob(descriptor, options),
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]?.();
    },
    ...(source.referrers ? { referrers: source.referrers.bind(source) } : {}),
    ...(source.readFrom ? { readFrom: source.readFrom.bind(source) } : {}),
    ...(source.distrust ? { distrust: source.distrust.bind(source) } : {}),
  };
}
