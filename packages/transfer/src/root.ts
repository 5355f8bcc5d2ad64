import { type Descriptor, type Digest, isDigest, type Platform, type Ref } from "@mote/core";
import type { LoadedManifest } from "./loaded-manifest.js";

/** A reference to transfer. */
export interface Root {
  readonly ref: Ref | string;
  /** What the source resolved it to. */
  readonly resolved: Descriptor;
  /** What is moved: `resolved`, or the manifest of the selected platform. */
  readonly descriptor: Descriptor;
  /** The platform that was selected. */
  readonly platform: Platform | undefined;
  /** The indexes through which the platform was found, the outermost first. */
  readonly indexes: readonly LoadedManifest[];
  /** Its tag at the destination, or its name in the cache. */
  readonly name: string | undefined;
  /** Its location at the source, for the blob-info cache. */
  readonly from: Ref | undefined;
  /** Its location at the destination, for the blob-info cache. */
  readonly to: Ref | undefined;
}

export function digestOf(ref: Ref | string): Digest | undefined {
  if (typeof ref === "string") return isDigest(ref) ? ref : undefined;
  return ref.digest;
}

export function ownTag(ref: Ref | string): string | undefined {
  if (typeof ref !== "string") return ref.tag;
  return ref === "" || ref.startsWith("@") || isDigest(ref) ? undefined : ref;
}

/** Returns the reference of a manifest at a location. */
export function locationOf(
  location: Ref | undefined,
  { tag, digest }: { readonly tag: string | undefined; readonly digest: Digest | undefined },
): Ref | undefined {
  return (
    location && { ...location, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) }
  );
}
