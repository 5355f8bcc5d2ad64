import { type Digest, isDigest, type Ref } from "@mote/core";

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
