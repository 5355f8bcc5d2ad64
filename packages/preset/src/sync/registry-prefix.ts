import type { Digest, RegistryRef } from "@mote/core";
import { invalidReference } from "../references/invalid-reference.js";
import type { ImageName } from "./image-name.js";

/** A registry, or the repositories below a prefix. */
export interface RegistryPrefix {
  readonly registry: string;
  readonly prefix: string;
  readonly scheme?: "http" | "https" | undefined;
}

/** Parses `docker://HOST[/PREFIX]`. @throws MOTE_INVALID_REFERENCE */
export async function readRegistryPrefix(text: string): Promise<RegistryPrefix> {
  const rest = text.slice("docker://".length).replace(/\/+$/, "");
  const slash = rest.indexOf("/");
  const prefix = slash < 0 ? "" : rest.slice(slash + 1);
  if (/[:@]/.test(prefix)) {
    const message = `"${text.slice(0, 160)}" is one image, and not a place for several; write docker://HOST/PREFIX without a tag`;
    throw invalidReference(text, message, "a tag or digest");
  }
  const { readRegistry } = await import("@mote/registry");
  return { ...readRegistry(slash < 0 ? rest : rest.slice(0, slash)), prefix };
}

/** Returns the location of an image below the prefix. @throws MOTE_INVALID_REFERENCE if neither names a repository */
export function refBelow(where: RegistryPrefix, name: ImageName): RegistryRef {
  const { full, tag, repository } = name;
  const path = [where.prefix, repository].filter(Boolean).join("/");
  if (path === "") {
    const message = `"${full.slice(0, 160)}" names no repository; write the destination as docker://${where.registry}/REPOSITORY`;
    throw invalidReference(full, message, "no repository");
  }
  const selected = tag === undefined ? { digest: full.slice(full.lastIndexOf("@") + 1) as Digest } : { tag };
  return { ...repositoryAt(where, path), ...selected };
}

/** Returns the repositories that may have the content of an image: its own, and the prefix, which may be one. */
export function repositoriesBelow(where: RegistryPrefix, { repository }: ImageName): readonly RegistryRef[] {
  const paths = [[where.prefix, repository].filter(Boolean).join("/"), where.prefix];
  return [...new Set(paths)].filter(Boolean).map((path) => repositoryAt(where, path));
}

export function repositoryAt({ registry, scheme }: RegistryPrefix, repository: string): RegistryRef {
  return { transport: "docker", registry, repository, ...(scheme === undefined ? {} : { scheme }) };
}
