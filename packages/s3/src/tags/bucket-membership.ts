import {
  type Cancellable,
  type Digest,
  digestAlgorithm,
  digestEncoded,
  isDigest,
  type Membership,
  MoteError,
  parseDigest,
  parseImageName,
  parseRepositoryName,
  type RecordOptions,
  type RepositoriesOptions,
  type RepositoryName,
  type TagStore,
} from "@mote/core";
import type { CacheBucket } from "../bucket/cache-bucket.js";

/**
 * Membership in a bucket: an empty object for each record.
 *
 *     repositories/=PATH!/REGISTRY!/ALGORITHM/HEX.member, HEX.named, HEX.blob
 *
 * Paths are below the folder as they are, with `=` before each part, so that all registries of a path are listed together.
 */
export class BucketMembership implements Membership {
  readonly #from: CacheBucket;

  constructor(from: CacheBucket) {
    this.#from = from;
  }

  async record(repository: string, digest: Digest, options: RecordOptions = {}): Promise<void> {
    const { signal, named = false, blob = false } = options;
    const folder = this.#folderOf(repository);
    parseDigest(digest);
    await this.#from.ready({ signal, toWrite: true });
    for (const suffix of [blob ? "blob" : "member", ...(named ? ["named"] : [])])
      await this.#from.bucket.write(
        keyOf(folder, digest, suffix),
        { bytes: new Uint8Array() },
        { what: "record a repository", signal },
      );
  }

  async has(repository: string, digest: Digest, { signal }: Cancellable = {}): Promise<boolean> {
    const folder = this.#folderOf(repository);
    parseDigest(digest);
    await this.#from.ready({ signal, toWrite: false });
    for (const suffix of ["member", "blob"]) {
      const found = await this.#from.bucket.head(keyOf(folder, digest, suffix), "find a repository", { signal });
      if (found !== undefined) return true;
    }
    return false;
  }

  async *list(repository: string, { signal }: Cancellable = {}): AsyncGenerator<Digest, void, undefined> {
    const folder = this.#folderOf(repository);
    await this.#from.ready({ signal, toWrite: false });
    for await (const { key } of this.#from.bucket.list(folder, "list a repository", { signal })) {
      const record = recordAt(key.slice(folder.length));
      if (record?.suffix === "member") yield record.digest;
    }
  }

  async *repositories(options: RepositoriesOptions = {}): AsyncGenerator<string, void, undefined> {
    const { path, named = false, signal } = options;
    await this.#from.ready({ signal, toWrite: false });
    const prefix = this.#from.keys.repositories + (path === undefined ? "" : encodePath(path));
    let after: string | undefined;
    for (;;) {
      const next = await this.#nextRepository(prefix, { after, named, signal });
      if (next === undefined) return;
      if (next.name !== undefined) yield next.name;
      after = next.after;
    }
  }

  async recordTags(tags: TagStore, { signal }: Cancellable = {}): Promise<boolean> {
    for await (const { name, descriptor } of tags.list({ signal })) {
      const image = parseImageName(name);
      if (image !== undefined) await this.record(image.repository.full, descriptor.digest, { named: true, signal });
    }
    return true;
  }

  async remove(repository: string, digest?: Digest, { signal }: Cancellable = {}): Promise<void> {
    const folder = this.#folderOf(repository);
    if (digest !== undefined) parseDigest(digest);
    await this.#from.ready({ signal, toWrite: false });
    const keys: string[] = [];
    if (digest !== undefined) keys.push(...["member", "named", "blob"].map((suffix) => keyOf(folder, digest, suffix)));
    else for await (const { key } of this.#from.bucket.list(folder, "list a repository", { signal })) keys.push(key);
    const [failed] = await this.#from.bucket.removeAll(keys, "remove a repository", { signal });
    if (failed !== undefined)
      throw new MoteError("MOTE_UNWRITABLE", `cannot remove ${failed.key} (${failed.code}); check the permissions`);
  }

  /** Returns the first repository after a key, and a key after all of its records. */
  async #nextRepository(
    prefix: string,
    { after, named, signal }: Cancellable & { readonly after: string | undefined; readonly named: boolean },
  ): Promise<{ readonly name: string | undefined; readonly after: string } | undefined> {
    // A repository has few records before the first that counts, or very many.
    let folder: string | undefined;
    for await (const { key } of this.#from.bucket.list(prefix, "list the repositories", {
      signal,
      after,
      pageSize: 100,
    })) {
      const end = key.lastIndexOf("!/") + 2;
      const name = nameAt(key.slice(this.#from.keys.repositories.length, end));
      if (name === undefined) continue;
      if (folder !== undefined && !key.startsWith(folder)) return { name: undefined, after: `${folder}~` };
      folder = key.slice(0, end);
      const record = recordAt(key.slice(end));
      if (record !== undefined && (record.suffix === "named") === named) return { name, after: `${folder}~` };
    }
    return undefined;
  }

  #folderOf(repository: string): string {
    const name = parseRepositoryName(repository);
    if (name === undefined)
      throw new MoteError("MOTE_INVALID_NAME", `"${String(repository).slice(0, 80)}" is not a valid repository name`);
    return this.#from.keys.repositories + folderName(name);
  }
}

function folderName({ path, registry = "" }: RepositoryName): string {
  return `${encodePath(path)}${encodeURIComponent(registry)}!/`;
}

function encodePath(path: string): string {
  return `=${path.replaceAll("/", "/=")}!/`;
}

function keyOf(folder: string, digest: Digest, suffix: string): string {
  return `${folder}${digestAlgorithm(digest)}/${digestEncoded(digest)}.${suffix}`;
}

function recordAt(text: string): { readonly digest: Digest; readonly suffix: string } | undefined {
  const [, algorithm, hex, suffix = ""] = /^(\w+)\/([0-9a-f]+)\.(member|named|blob)$/.exec(text) ?? [];
  const digest = `${algorithm}:${hex}`;
  return isDigest(digest) ? { digest, suffix } : undefined;
}

/** Returns the full name of a repository's folder; undefined for any other. */
function nameAt(folder: string): string | undefined {
  const [, path = "", registry = ""] = /^=([^!]+)!\/([^!/]*)!\/$/.exec(folder) ?? [];
  let host: string;
  try {
    host = decodeURIComponent(registry);
  } catch {
    return undefined;
  }
  const full = `${host === "" ? "" : `${host}/`}${path.replaceAll("/=", "/")}`;
  return parseRepositoryName(full)?.full;
}
