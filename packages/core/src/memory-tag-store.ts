import type { Cancellable } from "./cancellable.js";
import { assertTagStoreName } from "./check-arguments.js";
import type { Descriptor } from "./descriptor.js";
import { parseDigest } from "./digest.js";
import { firstListed, type ListTagsOptions, listLimit, type Tag, type TagStore } from "./tag-store.js";

/** A tag store in memory. */
export class MemoryTagStore implements TagStore {
  readonly #tags = new Map<string, Tag>();

  async resolve(name: string, options: Cancellable = {}): Promise<Descriptor | undefined> {
    options.signal?.throwIfAborted();
    return this.#tags.get(name)?.descriptor;
  }

  async tag(name: string, descriptor: Descriptor, options: Cancellable = {}): Promise<void> {
    options.signal?.throwIfAborted();
    parseDigest(descriptor.digest);
    assertTagStoreName(name);
    this.#tags.set(name, { name, descriptor, setMs: Date.now() });
  }

  async untag(name: string): Promise<void> {
    this.#tags.delete(name);
  }

  async *list(options: ListTagsOptions = {}): AsyncGenerator<Tag, void, undefined> {
    const { prefix = "", signal } = options;
    let left = listLimit(options);
    // Tags that are set or removed meanwhile do not change the listing.
    const tags = [...this.#tags.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const names = tags.map(({ name }) => name);
    for (const tag of tags.slice(firstListed(names, options))) {
      signal?.throwIfAborted();
      if (left === 0 || !tag.name.startsWith(prefix)) return;
      left--;
      yield tag;
    }
  }
}
