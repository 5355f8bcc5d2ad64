import type { Descriptor, ListTagsOptions, TagStore } from "@mote/core";
import { errorCodeOf, errorCodesOf, mediaType, type Sample, sample } from "./sample-motes.js";
import type { TestApi } from "./test-api.js";

export interface TagStoreCapabilities {
  /** Opens another store over the same tags. Without it, sharing is not tested. */
  readonly reopen?: ((store: TagStore) => Promise<TagStore> | TagStore) | undefined;
}

const one = descriptorOf(sample("one", 10));
const other = descriptorOf(sample("other", 20));
const validNames = [
  "a",
  "A",
  "..",
  "a/../b",
  "/etc/passwd",
  "registry.example/a/b:c@d e",
  "CON",
  "é",
  "e\u0301",
  "👾",
  "index.json",
];
const invalidNames = ["", "a\nb", "a\0b", "\u007f", "x".repeat(4097)];

/**
 * Defines tests of the contract of `TagStore`.
 * @param factory creates an empty store
 */
export function tagStoreSuite(
  { describe, it, expect }: TestApi,
  factory: () => Promise<TagStore> | TagStore,
  { reopen }: TagStoreCapabilities = {},
): void {
  const test = (name: string, body: (store: TagStore) => Promise<void>) => it(name, async () => body(await factory()));

  describe("a tag store", () => {
    test("resolves a tag to the descriptor that was set last", async (store) => {
      expect(await store.resolve("a")).toBe(undefined);
      await store.tag("a", one);
      expect(identityOf(await store.resolve("a"))).toEqual(identityOf(one));
      await store.tag("a", other);
      await store.tag("a", other);
      expect(identityOf(await store.resolve("a"))).toEqual(identityOf(other));
      expect(await store.resolve("b")).toBe(undefined);
    });

    test("lists each tag once with its descriptor, ordered by name", async (store) => {
      expect(await namesOf(store)).toEqual([]);
      for (const name of ["b", "registry.example/a/b:c@d e", "a", "b"]) await store.tag(name, one);
      await store.tag("b", other);
      const found = [];
      for await (const { name, descriptor, setMs } of store.list()) {
        expect(setMs === undefined || (Number.isFinite(setMs) && setMs >= 0)).toBe(true);
        found.push([name, descriptor.digest]);
      }
      expect(found).toEqual([
        ["a", one.digest],
        ["b", other.digest],
        ["registry.example/a/b:c@d e", one.digest],
      ]);
    });

    test("lists a page: the names with a prefix, after a name, at most as many as the limit", async (store) => {
      const names = ["b:1", "b:10", "b:2", "b@x", "a", "b-c:1", "b/c:1", "B:1", "\u{1f47e}", "\uffee", "ba"];
      for (const name of names) await store.tag(name, one);
      const sorted = [...names].sort();
      const expectPage = async (options: ListTagsOptions) => {
        const { prefix = "", after = "", limit } = options;
        const expected = sorted.filter((name) => name.startsWith(prefix) && name > after).slice(0, limit);
        expect([options, await namesOf(store, options)]).toEqual([options, expected]);
      };
      for (const prefix of [undefined, "", "b", "b:", "b:1", "c", "\ud83d", "\uffff"]) {
        const afters = [undefined, "", "a", "b", "b:1", "b:11", "b@y", "zz", "\u{1f47e}"];
        const pages = afters.flatMap((after) => [undefined, 0, 1, 2, 100].map((limit) => ({ prefix, after, limit })));
        await Promise.all(pages.map(expectPage));
      }
      for (const limit of [-1, 0.5, Number.NaN]) {
        expect(await errorCodeOf(() => namesOf(store, { limit }))).toBe("TypeError");
      }
    });

    test("yields every tag exactly once over pages, also when other tags are set and removed between them", async (store) => {
      const names = Array.from({ length: 25 }, (_, at) => `name ${String(at).padStart(2, "0")}`);
      await Promise.all(names.map((name) => store.tag(name, one)));
      const found: string[] = [];
      for (let page = await namesOf(store, { limit: 4 }); page.length > 0; ) {
        found.push(...page);
        const after = page.at(-1);
        await store.tag(`a${found.length}`, one);
        await store.untag(`a${found.length - 4}`);
        page = await namesOf(store, { limit: 4, after });
      }
      expect(found).toEqual(names);
    });

    test("removes one tag and no other, and an absent tag without an error", async (store) => {
      await store.tag("a", one);
      await store.tag("b", one);
      for (const _ of [1, 2]) await store.untag("a");
      expect(await store.resolve("a")).toBe(undefined);
      expect(await namesOf(store)).toEqual(["b"]);
      await store.tag("a", other);
      expect((await store.resolve("a"))?.digest).toBe(other.digest);
    });

    test("accepts any name of 1 to 4096 characters without control characters, and distinguishes names", async (store) => {
      const names = [...validNames, "x".repeat(4096)];
      for (const [at, name] of names.entries()) await store.tag(name, descriptorOf(sample(`named ${at}`, at)));
      for (const [at, name] of names.entries()) {
        expect((await store.resolve(name))?.digest).toBe(sample(`named ${at}`, at).digest);
      }
      expect(await namesOf(store)).toEqual(names.sort());
    });

    test("rejects other names and invalid digests, and sets nothing", async (store) => {
      const calls = invalidNames.map((name) => () => store.tag(name, one));
      expect(await errorCodesOf(calls)).toEqual(["MOTE_INVALID_NAME"]);
      const wrong = { ...one, digest: "sha256:../../x" as Descriptor["digest"] };
      expect((await errorCodeOf(() => store.tag("a", wrong))).startsWith("MOTE_INVALID_")).toBe(true);
      expect(await namesOf(store)).toEqual([]);
    });

    test("rejects with the reason of the signal when aborted, and sets nothing", async (store) => {
      const signal = AbortSignal.abort(new RangeError("enough"));
      const calls = [() => store.tag("a", one, { signal }), () => store.resolve("a", { signal })];
      expect(await errorCodesOf(calls)).toEqual(["RangeError"]);
      expect(await namesOf(store)).toEqual([]);
    });

    test("loses no tag when many are set concurrently, and stores one of several descriptors for a name", async (store) => {
      const names = Array.from({ length: 40 }, (_, at) => `name ${at}`);
      const contested = Array.from({ length: 10 }, (_, at) => descriptorOf(sample(`contested ${at}`, at)));
      await Promise.all([
        ...names.map((name) => store.tag(name, one)),
        ...contested.map((descriptor) => store.tag("contested", descriptor)),
      ]);
      expect(await namesOf(store)).toEqual([...names, "contested"].sort());
      const { digest } = (await store.resolve("contested")) ?? one;
      expect(contested.some((descriptor) => descriptor.digest === digest)).toBe(true);
    });

    if (reopen !== undefined) {
      test("shows a change immediately to other stores over the same tags", async (store) => {
        const another = await reopen(store);
        await store.tag("a", one);
        expect((await another.resolve("a"))?.digest).toBe(one.digest);
        await another.tag("a", other);
        expect((await store.resolve("a"))?.digest).toBe(other.digest);
        await another.untag("a");
        expect(await namesOf(store)).toEqual([]);
      });

      test("lists what several stores over the same tags set and remove concurrently", async (first) => {
        const stores = [first, await reopen(first), await reopen(first), await reopen(first)];
        const names = Array.from({ length: 40 }, (_, at) => `name ${String(at).padStart(2, "0")}`);
        const work = names.map(async (name, at) => {
          const store = stores[at % stores.length];
          await store?.tag(name, one);
          if (at % 3 === 0) await stores[(at + 1) % stores.length]?.untag(name);
        });
        await Promise.all([...work, ...stores.map((store) => namesOf(store))]);
        const left = names.filter((_, at) => at % 3 !== 0);
        for (const store of stores) {
          expect(await namesOf(store)).toEqual(left);
          expect(await namesOf(store, { after: "name 10", limit: 5 })).toEqual(
            left.filter((name) => name > "name 10").slice(0, 5),
          );
        }
      });
    }
  });
}

function descriptorOf({ digest, bytes }: Sample): Descriptor {
  return { mediaType, digest, size: bytes.byteLength };
}

function identityOf(descriptor: Descriptor | undefined) {
  return [descriptor?.digest, descriptor?.size, descriptor?.mediaType];
}

async function namesOf(store: TagStore, options?: ListTagsOptions): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(options)) names.push(name);
  return names;
}
