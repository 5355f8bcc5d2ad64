import {
  type BlobOptions,
  BytesReader,
  type CallOptions,
  type Cancellable,
  type ContentSource,
  type Descriptor,
  type MoteReader,
  type Ref,
  type ResolveOptions,
  type TimeLimited,
} from "@mote/core";
import type { RequestKind, Upstream, UpstreamContent } from "./upstream.js";

/** What a fill reads a blob from. */
export type FillSource = Pick<ContentSource, "blob" | "reportCorruption" | "servesRanges">;

/** A repository of an upstream as a source, whose requests pass the upstream's circuit breakers. */
export class UpstreamSource implements Omit<ContentSource, "referrers"> {
  readonly #upstream: Upstream;
  readonly #path: string;

  constructor(upstream: Upstream, path: string) {
    this.#upstream = upstream;
    this.#path = path;
  }

  get servesRanges(): boolean {
    return this.#upstream.content(this.#path).source.servesRanges ?? false;
  }

  resolve(ref: Ref | string, options: ResolveOptions = {}): Promise<Descriptor> {
    return this.#request("manifests", options, ({ source }, limited) =>
      source.resolve(ref, { ...options, ...limited }),
    );
  }

  manifest(descriptor: Descriptor, options: TimeLimited = {}): Promise<Uint8Array> {
    return this.#request("manifests", options, ({ source }, limited) =>
      source.manifest(descriptor, { ...options, ...limited }),
    );
  }

  blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    // Like a reader that continues after a cut connection: a refused one says nothing about the upstream, and an open breaker must not end the fill.
    if (options.ranges?.hasResponse) return this.#upstream.content(this.#path).source.blob(descriptor, options);
    return this.#request("blobs", options, ({ source }, limited) =>
      source.blob(descriptor, { ...options, ...limited }),
    );
  }

  reportCorruption(descriptor: Descriptor): boolean {
    return this.#upstream.content(this.#path).source.reportCorruption?.(descriptor) ?? false;
  }

  referrers(descriptor: Descriptor, options: CallOptions = {}): Promise<Descriptor[]> {
    return this.#request("lists", options, async ({ source }, limited) => {
      const found: Descriptor[] = [];
      for await (const referrer of source.referrers?.(descriptor, { ...options, ...limited }) ?? [])
        found.push(referrer);
      return found;
    });
  }

  #request<Result>(
    kind: RequestKind,
    { signal }: Cancellable,
    send: (content: UpstreamContent, options: Cancellable) => Promise<Result>,
  ): Promise<Result> {
    return this.#upstream.request({ path: this.#path, kind, signal }, send);
  }
}

/** Reads manifests as blobs, so that they are fetched into a cache as blobs are: once for all processes. */
export function manifestsAsBlobs(source: Pick<ContentSource, "manifest">): Pick<ContentSource, "blob"> {
  return {
    async blob(descriptor, { start = 0, signal }: BlobOptions = {}) {
      const bytes = await source.manifest(descriptor, { signal });
      return new BytesReader(descriptor, bytes.subarray(start));
    },
  };
}
