import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { FileCache } from "@mote/fs";
import type { Comparison, Row } from "./compare.js";

const few = 200;
const many = 10_000;
const repositories = 100;
const operations = 200;
const pages = 20;
const pageSize = 100;
const medianAtMostMs = 2;

interface Names {
  readonly cache: FileCache;
  readonly name: string;
}

/** Compares the work for names in a cache with many of them with the same work in a cache with few. */
export async function* namesSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  const open = async (cache: FileCache, count: number): Promise<Names> => {
    await cache.initialize();
    for (let at = 0; at < count; at++) await cache.tags.tag(nameOf(at), manifestOf(at));
    await cache.update();
    return { cache, name: `${count} names` };
  };
  await using inMany = new FileCache(join(folder, "many"), { durability: "visible" });
  await using inFew = new FileCache(join(folder, "few"), { durability: "visible" });
  const [manyNames, fewNames] = [await open(inMany, many), await open(inFew, few)];
  const row = (
    title: string,
    amount: number,
    work: (cache: FileCache) => Promise<void>,
    prepare: (cache: FileCache) => Promise<void> = async () => {},
  ): Comparison => {
    const contender = ({ cache, name }: Names) => ({
      name,
      run: () => work(cache),
      prepare: async () => {
        await prepare(cache);
        await cache.update();
      },
    });
    return { title, unit: "operations", amount, goal: 0.5, mote: contender(manyNames), peer: contender(fewNames) };
  };
  const title = (what: string) => `${what}, with ${many} names beside ${few}`;
  yield row(title("set a new tag"), operations, setAll, removeAll);
  yield row(title("resolve a tag"), operations, async ({ tags }) => {
    for (let at = 0; at < operations; at++) await tags.resolve(nameOf(at % few));
  });
  yield row(title("remove a tag"), operations, removeAll, setAll);
  yield row(title(`list a page of ${pageSize}`), pages, async ({ tags }) => {
    for (let page = 0; page < pages; page++) {
      let found = 0;
      for await (const _ of tags.list({ after: `registry.example/team/app${10 + page}`, limit: pageSize })) found++;
      if (found !== pageSize) throw new Error(`the page has ${found} names`);
    }
  });
  yield {
    title: `set a tag, with ${many} names, median`,
    unit: "ms",
    atMost: medianAtMostMs,
    measure: async () => {
      const { cache } = manyNames;
      const times: number[] = [];
      for (let at = 0; at < operations; at++) {
        const begun = performance.now();
        await cache.tags.tag(nameOf(at), manifestOf(at + times.length + 1));
        times.push(performance.now() - begun);
      }
      return times.sort((a, b) => a - b)[operations >> 1] ?? 0;
    },
  };
}

function nameOf(at: number): string {
  return `registry.example/team/app${at % repositories}:v${at}`;
}

function manifestOf(at: number): Descriptor {
  const bytes = Buffer.from(`manifest ${at}`);
  return { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
}

async function setAll({ tags }: FileCache): Promise<void> {
  for (let at = 0; at < operations; at++) await tags.tag(`${nameOf(at)}-new`, manifestOf(at));
}

async function removeAll({ tags }: FileCache): Promise<void> {
  for (let at = 0; at < operations; at++) await tags.untag(`${nameOf(at)}-new`);
}
