import {
  assertTagStoreName,
  type Cancellable,
  type Descriptor,
  hasCode,
  isTagStoreName,
  type ListTagsOptions,
  listLimit,
  MoteError,
  parseDescriptor,
  parseDigest,
  parseJsonRecord,
  type Tag,
  type TagStore,
} from "@mote/core";
import type { ListedObject } from "../bucket/bucket.js";
import type { CacheBucket } from "../bucket/cache-bucket.js";
import { mapInOrder } from "./ordered-map.js";
import { longNameGroup, tagKey, tagKeyBefore, tagKeyPrefix } from "./tag-keys.js";

const concurrency = 16;

/** Tags in a bucket: a small object for each name, replaced as a unit, so that of several concurrent writers the last one wins. */
export class S3TagStore implements TagStore {
  readonly #from: CacheBucket;

  /** @internal */
  constructor(from: CacheBucket) {
    this.#from = from;
  }

  async resolve(name: string, { signal }: Cancellable = {}): Promise<Descriptor | undefined> {
    await this.#from.ready({ signal, toWrite: false });
    return isTagStoreName(name) ? (await this.#read(this.#keyOf(name), { signal }))?.descriptor : undefined;
  }

  async tag(name: string, descriptor: Descriptor, { signal }: Cancellable = {}): Promise<void> {
    signal?.throwIfAborted();
    parseDigest(descriptor.digest);
    assertTagStoreName(name);
    await this.#from.ready({ signal, toWrite: true });
    await this.#from.bucket.writeJson(this.#keyOf(name), { name, descriptor }, { what: "write a tag", signal });
  }

  async untag(name: string, { signal }: Cancellable = {}): Promise<void> {
    await this.#from.ready({ signal, toWrite: false });
    if (isTagStoreName(name)) await this.#from.bucket.remove(this.#keyOf(name), "remove a tag", { signal });
  }

  async *list(options: ListTagsOptions = {}): AsyncGenerator<Tag, void, undefined> {
    const { prefix = "", after, signal } = options;
    let left = listLimit(options);
    await this.#from.ready({ signal, toWrite: false });
    for await (const tag of this.#inOrder(this.#objects(options, left), left, signal)) {
      if (!tag.name.startsWith(prefix) || (after !== undefined && tag.name <= after)) continue;
      if (left-- <= 0) return;
      yield tag;
    }
  }

  /** Removes a tag if it still is the tag of this manifest. */
  async untagIf(name: string, digest: Descriptor["digest"], { signal }: Cancellable = {}): Promise<boolean> {
    const key = this.#keyOf(name);
    const tag = await this.#read(key, { signal });
    if (tag === undefined || tag.descriptor.digest !== digest) return false;
    await this.#from.bucket.remove(key, "remove a tag", { signal });
    return true;
  }

  #objects({ prefix = "", after, signal }: ListTagsOptions, limit: number): AsyncIterable<ListedObject> {
    const { tags } = this.#from.keys;
    const start = after === undefined || after === "" ? undefined : tags + tagKeyBefore(after);
    const options = { signal, after: start, pageSize: Math.max(1, Math.min(1000, limit + 1)) };
    return this.#from.bucket.list(tags + tagKeyPrefix(prefix), "list the tags", options);
  }

  /** Yields tags by name. Keys of long names are in another order, so that those with the same beginning are sorted. */
  async *#inOrder(
    objects: AsyncIterable<ListedObject>,
    limit: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Tag, void, undefined> {
    let damage: MoteError | undefined;
    const read = async (object: ListedObject) => {
      try {
        return await this.#read(object.key, { signal, setMs: object.modifiedMs });
      } catch (error) {
        if (!hasCode(error, "MOTE_CORRUPT")) throw error;
        damage ??= error;
        return undefined;
      }
    };
    let group: string | undefined;
    let sorted: Tag[] = [];
    const entries = mapInOrder(objects, Math.min(concurrency, limit + 1), async (object) => ({
      group: longNameGroup(object.key),
      tag: await read(object),
    }));
    for await (const entry of entries) {
      if (entry.group !== group) {
        yield* sorted.sort((a, b) => (a.name < b.name ? -1 : 1));
        sorted = [];
        group = entry.group;
      }
      // It may have been removed since it was listed.
      if (entry.tag === undefined) continue;
      if (group === undefined) yield entry.tag;
      else sorted.push(entry.tag);
    }
    yield* sorted.sort((a, b) => (a.name < b.name ? -1 : 1));
    // Those that can be read come first.
    if (damage !== undefined) throw damage;
  }

  async #read(key: string, { signal, setMs }: Cancellable & { readonly setMs?: number }): Promise<Tag | undefined> {
    const found = await this.#from.bucket.read(key, "read a tag", { signal });
    if (found === undefined) return undefined;
    const body = parseTag(found.bytes);
    if (body === undefined || this.#keyOf(body.name) !== key)
      throw new MoteError("MOTE_CORRUPT", `the tag at ${key} is damaged; remove the object, or set the tag again`, {
        details: { key },
      });
    return { ...body, ...(setMs === undefined ? {} : { setMs }) };
  }

  #keyOf(name: string): string {
    return this.#from.keys.tags + tagKey(name);
  }
}

function parseTag(bytes: Uint8Array): Omit<Tag, "setMs"> | undefined {
  const body = parseJsonRecord(bytes);
  if (typeof body?.name !== "string") return undefined;
  try {
    return { name: body.name, descriptor: parseDescriptor(body.descriptor) };
  } catch {
    return undefined;
  }
}
