import { type ContentSource, formatLocation, type Ref } from "@mote/core";
import type { DockerArchiveSource, LayoutContent } from "@mote/layout";
import type { Endpoints } from "../endpoints/endpoints.js";

/** Sources that are disposed of together. Layouts and archives are opened once, with `registries` also repositories. */
export class SourcePool implements AsyncDisposable {
  readonly #endpoints: Endpoints;
  readonly #registries: boolean;
  readonly #opened = new Map<string, Promise<ContentSource>>();

  constructor(endpoints: Endpoints, { registries = false }: { readonly registries?: boolean } = {}) {
    this.#endpoints = endpoints;
    this.#registries = registries;
  }

  /** The source is disposed of with the pool. @throws as `Endpoints.source` */
  open(ref: Ref): Promise<ContentSource> {
    const key = formatLocation(ref);
    const opened = this.#opened.get(key) ?? this.#endpoints.source(ref);
    if (this.#registries || ref.transport !== "docker") this.#opened.set(key, opened);
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
