import { resolve } from "node:path";
import { type Digest, isDigest, type MoteCache, MoteError, type PathRef, type Ref, type RefCodec } from "@mote/core";
import { assertMovable, parseRef, refCodec } from "@mote/ref";
import type { TransferOptions } from "@mote/transfer";
import { findByName, nameInCache } from "./find-by-name.js";
import { parsePersonalRef } from "./home-paths.js";
import { bareDestination } from "./plain-paths.js";

/** Where something comes from: a place, or wherever the content of a digest is. */
export type Origin = Ref | Digest;

/** @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT */
export function readMovable(text: string): Ref {
  const ref = parsePersonalRef(text);
  assertMovable(ref);
  return ref;
}

/**
 * Reads a source: a reference; or a digest, `sha256:…` or `hash://sha256/…`, of which the first 6 digits will do where the cache has
 * it. It never means a repository called `sha256`. @throws as `readMovable` · MOTE_NOT_FOUND · MOTE_AMBIGUOUS
 */
export async function readOrigin(cache: MoteCache, text: string): Promise<Origin> {
  if (isDigest(text)) return text;
  if (/^sha(?:256|384|512):[0-9a-f]+$/.test(text)) return (await findByName(cache, text)).digest;
  const ref = parsePersonalRef(text);
  if (ref.transport === "hash" && ref.digest !== undefined) return ref.digest;
  assertMovable(ref);
  return ref;
}

/** The codec of what the blob-info cache is given: a relative path would mean another place to a process elsewhere. */
export const absoluteRefCodec: RefCodec = {
  ...refCodec,
  parse(text) {
    const ref = refCodec.parse(text);
    return "path" in ref && isOfFileSystem(ref) ? { ...ref, path: resolve(ref.path) } : ref;
  },
};

function isOfFileSystem({ transport }: PathRef): boolean {
  return ["oci", "oci-archive", "docker-archive", "dir", "tarball", "ocidir"].includes(transport);
}

/** What the cache calls what comes from there. Content that is asked for by its digest has no name. */
export function nameOfOrigin(from: Origin): string | undefined {
  return typeof from === "string" ? undefined : nameInCache(from);
}

/**
 * Refuses a registry without `docker://` as the destination of a pull: who writes `build/app` may mean a folder, and would push to
 * Docker Hub. @throws MOTE_INVALID_REFERENCE
 */
export function assertPullDestination(text: string): void {
  const bare = bareDestination(text);
  if (bare === undefined) return;
  throw new MoteError("MOTE_INVALID_REFERENCE", `cannot pull to ${bare.reason}`, {
    details: { text, position: 0, reason: bare.reason },
  });
}

/** A destination that is written with a digest stands for that manifest alone. */
export function onlyOf(wanted: Digest | undefined): TransferOptions["verify"] {
  if (wanted === undefined) return undefined;
  return ({ digest }) => {
    if (digest === wanted) return;
    throw new MoteError(
      "MOTE_DIGEST_MISMATCH",
      `what is to be moved is ${digest}, and the destination says ${wanted}; leave the digest out there, or choose the right source or platform`,
      { details: { digest, expected: wanted, actual: digest } },
    );
  };
}

/** The same place with another tag, and that alone. */
export function otherTag(ref: Ref, tag: string): Ref {
  if (ref.transport !== "docker") return { transport: ref.transport, path: ref.path, tag };
  const { digest: _, ...place } = ref;
  return { ...place, tag };
}

/** The source's tag; in a docker-archive, whose names are whole references, all of it. */
export function defaultName(to: Ref, from: Origin): string | undefined {
  if (typeof from === "string") return undefined;
  if (to.transport !== "docker-archive" || from.transport !== "docker") return from.tag;
  return from.tag === undefined ? undefined : `${from.registry}/${from.repository}:${from.tag}`;
}

/** The registry that a name in the cache came from, if it came from one. */
export function registryOf(name: string): Ref | undefined {
  try {
    const ref = parseRef(name);
    return ref.transport === "docker" ? ref : undefined;
  } catch (error) {
    if (MoteError.isInstance(error)) return undefined;
    throw error;
  }
}
