import { createHash } from "node:crypto";

export interface StoredManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface Repository {
  readonly blobs: Map<string, Uint8Array>;
  readonly manifests: Map<string, StoredManifest>;
  /** Digests by tag. */
  readonly tags: Map<string, string>;
}

/** An upload in progress. */
export interface Upload {
  readonly repository: string;
  readonly bytes: Uint8Array;
}

/** The content of a registry, in memory. */
export class Repositories {
  readonly uploads = new Map<string, Upload>();
  readonly #repositories = new Map<string, Repository>();

  /** Returns an empty repository if nothing was pushed yet. */
  get(name: string): Repository {
    const found = this.#repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, found);
    return found;
  }

  has(name: string): boolean {
    const { blobs, manifests } = this.get(name);
    return blobs.size + manifests.size > 0;
  }

  manifest(name: string, reference: string): StoredManifest | undefined {
    const { manifests, tags } = this.get(name);
    return manifests.get(tags.get(reference) ?? reference);
  }

  /** Returns a blob from any repository. */
  blob(digest: string): Uint8Array | undefined {
    for (const { blobs } of this.#repositories.values()) {
      const bytes = blobs.get(digest);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  addBlob(name: string, bytes: Uint8Array, digest = sha256(bytes)): string {
    this.get(name).blobs.set(digest, bytes);
    return digest;
  }

  addManifest(name: string, bytes: Uint8Array, mediaType: string, tag?: string): StoredManifest {
    const manifest = { digest: sha256(bytes), mediaType, bytes };
    const { manifests, tags } = this.get(name);
    manifests.set(manifest.digest, manifest);
    if (tag !== undefined) tags.set(tag, manifest.digest);
    return manifest;
  }
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Parses a JSON object. Returns an empty one if it is not valid. */
export function readJson(bytes: Uint8Array): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof body === "object" && body !== null ? { ...body } : {};
  } catch {
    return {};
  }
}
