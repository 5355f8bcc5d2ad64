import {
  type BlobOptions,
  BytesReader,
  type CallOptions,
  type ContentSource,
  type Descriptor,
  type MoteReader,
  type Ref,
  type ResolveOptions,
  type TimeLimited,
} from "@mote/core";
import type { Upstream } from "./upstream.js";

/** A repository of an upstream as a source, whose requests pass the upstream's circuit breaker. */
export class UpstreamSource implements Omit<ContentSource, "referrers"> {
  readonly #upstream: Upstream;
  readonly #path: string;

  constructor(upstream: Upstream, path: string) {
    this.#upstream = upstream;
    this.#path = path;
  }

  resolve(ref: Ref | string, options: ResolveOptions = {}): Promise<Descriptor> {
    return this.#upstream.request(this.#path, ({ source }) => source.resolve(ref, options), options);
  }

  manifest(descriptor: Descriptor, options: TimeLimited = {}): Promise<Uint8Array> {
    return this.#upstream.request(this.#path, ({ source }) => source.manifest(descriptor, options), options);
  }

  blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    return this.#upstream.request(this.#path, ({ source }) => source.blob(descriptor, options), options);
  }

  reportCorruption(descriptor: Descriptor): boolean {
    return this.#upstream.content(this.#path).source.reportCorruption?.(descriptor) ?? false;
  }

  async referrers(descriptor: Descriptor, options: CallOptions = {}): Promise<Descriptor[]> {
    return this.#upstream.request(
      this.#path,
      async ({ source }) => {
        const found: Descriptor[] = [];
        for await (const referrer of source.referrers?.(descriptor, options) ?? []) found.push(referrer);
        return found;
      },
      options,
    );
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
