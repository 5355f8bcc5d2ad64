import type { Cancellable, Descriptor, Tag, TagStore } from "@mote/core";

/** A tag's name taken apart: `[HOST/]REPOSITORY:TAG`. */
export interface TagName {
  readonly host: string | undefined;
  readonly repository: string;
  readonly tag: string;
}

/** Undefined for names that no client can ask for: without a tag, or with a digest. */
export function splitTagName(name: string): TagName | undefined {
  const colon = name.lastIndexOf(":");
  if (colon < 0 || colon < name.lastIndexOf("/") || name.includes("@")) return undefined;
  const path = name.slice(0, colon);
  const tag = name.slice(colon + 1);
  const slash = path.indexOf("/");
  const first = path.slice(0, Math.max(0, slash));
  const hasHost = /[.:A-Z]/.test(first) || first === "localhost";
  return hasHost ? { host: first, repository: path.slice(slash + 1), tag } : { host: undefined, repository: path, tag };
}

/** The upstream that a mirror's client means (its `ns` parameter), where it says. */
export interface Asked extends Cancellable {
  readonly namespace: string | undefined;
}

/** Whether `name` belongs to what is asked for as `repository`. */
function belongs({ host, repository: own }: TagName, repository: string, namespace: string | undefined): boolean {
  const full = host === undefined ? own : `${host}/${own}`;
  if (namespace !== undefined) return full === `${namespace}/${repository}` || full === repository;
  return full === repository || own === repository;
}

/** The tags of a repository: its own in full, and those of registries' repositories of that name. */
export async function* tagsOf(tags: TagStore, repository: string, asked: Asked): AsyncGenerator<Tag & TagName> {
  for await (const { name, descriptor } of tags.list({ signal: asked.signal })) {
    const split = splitTagName(name);
    if (split !== undefined && belongs(split, repository, asked.namespace)) yield { ...split, name, descriptor };
  }
}

export type Resolution =
  | { readonly descriptor: Descriptor }
  /** Several registries have the name, for different content. */
  | { readonly ambiguous: readonly string[] }
  | undefined;

/**
 * What `repository:tag` stands for: under the upstream that the client means; exactly so; or on the one registry that has it.
 * A client that means an upstream never gets another registry's content under its name.
 */
export async function resolveTag(tags: TagStore, repository: string, tag: string, asked: Asked): Promise<Resolution> {
  const { signal, namespace } = asked;
  const plain = `${repository}:${tag}`;
  for (const name of namespace === undefined ? [plain] : [`${namespace}/${plain}`, plain]) {
    const descriptor = await tags.resolve(name, { signal });
    if (descriptor !== undefined) return { descriptor };
  }
  if (namespace !== undefined) return undefined;
  const found: Tag[] = [];
  for await (const candidate of tagsOf(tags, repository, asked)) if (candidate.tag === tag) found.push(candidate);
  const [first] = found;
  if (first === undefined) return undefined;
  const agree = found.every(({ descriptor }) => descriptor.digest === first.descriptor.digest);
  return agree ? { descriptor: first.descriptor } : { ambiguous: found.map(({ name }) => name) };
}
