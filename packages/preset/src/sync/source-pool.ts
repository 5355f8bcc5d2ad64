import { type ContentSource, formatLocation, type Ref } from "@mote/core";
import type { DockerArchiveSource, LayoutContent } from "@mote/layout";
import type { Endpoints } from "../endpoints/endpoints.js";

/** The sources of a run. Layouts and archives are opened once for all their images. */
export class SourcePool implements AsyncDisposable {
  readonly #endpoints: Endpoints;
  readonly #opened = new Map<string, Promise<ContentSource>>();

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints;
  }

  /** The source is disposed of with the pool. @throws as `Endpoints.source` */
  open(ref: Ref): Promise<ContentSource> {
    const key = formatLocation(ref);
    const opened = this.#opened.get(key) ?? this.#endpoints.source(ref);
    if (ref.transport !== "docker") this.#opened.set(key, opened);
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#opened.values()) {
      const source = await opened.catch(() => undefined);
      await source?.[Symbol.asyncDispose]?.();
    }
  }
}

/** Returns the source as one that lists its images: a layout or an archive. */
export function listing(source: ContentSource): LayoutContent | DockerArchiveSource | undefined {
  return "images" in source ? (source as LayoutContent | DockerArchiveSource) : undefined;
}

/** Returns the source with `dispose` doing nothing. */
export function keptOpen(source: ContentSource): ContentSource {
  const { ref, mayLackBlobs, servesRanges } = source;
  return {
    ref,
    mayLackBlobs,
    servesRanges,
    resolve: source.resolve.bind(source),
    manifest: source.manifest.bind(source),
    blob: source.blob.bind(source),
    ...(source.servedBy ? { servedBy: source.servedBy.bind(source) } : {}),
    ...(source.reportCorruption ? { reportCorruption: source.reportCorruption.bind(source) } : {}),
    ...(source.referrers ? { referrers: source.referrers.bind(source) } : {}),
    ...(source.taggedReferrers ? { taggedReferrers: source.taggedReferrers.bind(source) } : {}),
  };
}
