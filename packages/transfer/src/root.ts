import { type Descriptor, type Digest, isDigest, type Platform, type Ref } from "@mote/core";
import type { LoadedManifest } from "./loaded-manifest.js";

/** One of the references that are moved. */
export interface Root {
  readonly ref: Ref | string;
  /** What the source says that it stands for. */
  readonly resolved: Descriptor;
  /** What is moved: of an index and a platform, the manifest that was picked. */
  readonly descriptor: Descriptor;
  /** Of a platform that was picked: what it is. */
  readonly platform: Platform | undefined;
  /** Of a platform that was picked: the indexes that lead to it, the outermost first. */
  readonly indexes: readonly LoadedManifest[];
  /** What it is to be called at the destination, or in the cache. */
  readonly name: string | undefined;
  /** Its place as the blob-info cache records it. */
  readonly from: Ref | undefined;
  /** Its place at the destination. */
  readonly to: Ref | undefined;
}

export function digestOf(ref: Ref | string): Digest | undefined {
  if (typeof ref === "string") return isDigest(ref) ? ref : undefined;
  return ref.digest;
}

/** The tag that a reference has of itself. */
export function ownTag(ref: Ref | string): string | undefined {
  if (typeof ref !== "string") return ref.tag;
  return ref === "" || ref.startsWith("@") || isDigest(ref) ? undefined : ref;
}

/** A manifest at a place that gave or took it. */
export function locationOf(
  place: Ref | undefined,
  { tag, digest }: { readonly tag: string | undefined; readonly digest: Digest | undefined },
): Ref | undefined {
  return place && { ...place, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}
