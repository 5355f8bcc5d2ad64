import { type ContentSource, MoteError, type Ref, type RegistryRef } from "@mote/core";
import type { Parts } from "../parts.js";
import { tagFilter } from "../patterns/glob.js";
import { compareVersions } from "../patterns/version-order.js";
import { locationOf } from "../references/references.js";
import { cacheSource } from "../sources/cache-source.js";
import { listing } from "../sources/source-pool.js";
import { tagsOfRepository } from "../sync/all-tags.js";
import { timesOfTags } from "../sync/newest-tags.js";
import type { ListTagsOptions, TagList } from "./tag-list.js";

/** Reading the time of a tag takes up to three requests. */
const maxTimed = 2000;

interface Names {
  readonly source: ContentSource;
  readonly refs: ReadonlyMap<string, Ref>;
}

/** Lists tags as `OpenMote.listTags` does. */
export async function listTags(
  parts: Parts,
  repository: string,
  { filter = [], sort = "name", limit, signal }: ListTagsOptions,
): Promise<TagList> {
  const { references } = parts;
  const ref = references.parseMovable(repository, "source");
  if (isSpecific(repository, ref)) {
    const message = `cannot list the tags of ${repository}: it names one image; leave out its tag`;
    throw new MoteError("MOTE_INVALID_REFERENCE", message, { details: { text: repository } });
  }
  const names =
    ref.transport === "docker" ? await ofRepository(parts, ref, signal) : await ofLocation(parts, ref, signal);
  try {
    const tags = [...names.refs.keys()].filter(tagFilter(filter));
    const refOf = (tag: string) => names.refs.get(tag) ?? ref;
    if (sort === "time" && tags.length > maxTimed) throw tooMany(repository, tags.length);
    const times = sort === "time" ? await timesOfTags(names.source, tags, refOf, { signal }) : undefined;
    const sorted = tags.sort(orderOf(sort, times)).slice(0, limit);
    const created =
      times && sorted.flatMap((tag) => (times.get(tag) ? [[tag, new Date(times.get(tag) ?? 0).toISOString()]] : []));
    const shown = references.format(locationOf(ref)).replace(/:latest$/, "");
    return {
      repository: shown,
      tags: sorted,
      ...(created === undefined ? {} : { created: Object.fromEntries(created) }),
    };
  } finally {
    await names.source[Symbol.asyncDispose]?.();
  }
}

function isSpecific(text: string, ref: Ref): boolean {
  if (ref.digest !== undefined || ("index" in ref && ref.index !== undefined)) return true;
  if (ref.transport !== "docker") return ref.tag !== undefined;
  // The parser adds the default tag.
  return ref.tag !== undefined && text.slice(text.lastIndexOf("/") + 1).endsWith(`:${ref.tag}`);
}

async function ofRepository(parts: Parts, ref: RegistryRef, signal: AbortSignal | undefined): Promise<Names> {
  const { cache, endpoints, references, tags: store } = parts;
  if (endpoints.offline) {
    const prefix = references.nameInCache({ ...ref, tag: "x" }).slice(0, -1);
    const refs = new Map<string, Ref>();
    for await (const { name, descriptor } of store.list({ prefix, signal })) {
      refs.set(name.slice(prefix.length), { ...ref, digest: descriptor.digest });
    }
    return { source: cacheSource(cache), refs };
  }
  const tags = await tagsOfRepository(endpoints, ref, { signal });
  return { source: await endpoints.repository(ref), refs: new Map(tags.map((tag) => [tag, { ...ref, tag }])) };
}

async function ofLocation(
  { endpoints, references }: Parts,
  ref: Exclude<Ref, RegistryRef>,
  signal: AbortSignal | undefined,
): Promise<Names> {
  const source = await endpoints.source(ref);
  const images = await listing(source)?.images({ signal });
  if (images === undefined) {
    const message = `${references.format(ref)} contains one image without a name; use mote inspect`;
    throw new MoteError("MOTE_UNSUPPORTED_TRANSPORT", message);
  }
  const { transport, path } = ref;
  // The manifests of a docker-archive are generated: its images are found by name.
  const refs = images.flatMap(({ name, descriptor: { digest } }): [string, Ref][] =>
    name === undefined
      ? []
      : [[name, { transport, path, ...(transport === "docker-archive" ? { tag: name } : { digest }) }]],
  );
  return { source, refs: new Map(refs) };
}

function orderOf(
  sort: NonNullable<ListTagsOptions["sort"]>,
  times: ReadonlyMap<string, number> | undefined,
): (one: string, other: string) => number {
  if (sort === "name") return (one, other) => (one < other ? -1 : 1);
  if (sort === "semver") return (one, other) => compareVersions(other, one);
  return (one, other) => (times?.get(other) ?? 0) - (times?.get(one) ?? 0) || compareVersions(other, one);
}

function tooMany(repository: string, tags: number): MoteError {
  const message = `cannot sort ${tags} tags of ${repository} by time: the config of each has to be read, and the limit is ${maxTimed}; select fewer with --filter`;
  return new MoteError("MOTE_TOO_LARGE", message, { details: { tags, maxTags: maxTimed } });
}
