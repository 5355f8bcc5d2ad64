import { type Digest, isDigest, type MoteCache, MoteError, type Ref } from "@mote/core";
import { assertMovable } from "@mote/ref";
import type { TransferOptions } from "@mote/transfer";
import { findByName } from "./find-by-name.js";
import { invalidReference } from "./invalid-reference.js";
import { bareDestination } from "./plain-paths.js";
import type { References } from "./references.js";

/** The source of a transfer: a location, or any location of a digest. */
export type Origin = Ref | Digest;

/**
 * Parses a source: a reference, or a digest (`sha256:…`, `hash://sha256/…`); 6 digits suffice for cached content.
 * @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT · MOTE_NOT_FOUND · MOTE_AMBIGUOUS
 */
export async function readOrigin(cache: MoteCache, references: References, text: string): Promise<Origin> {
  if (isDigest(text)) return text;
  if (/^sha(?:256|384|512):[0-9a-f]+$/.test(text)) return (await findByName(cache, references, text)).digest;
  const ref = references.parse(text);
  if (ref.transport === "hash" && ref.digest !== undefined) return ref.digest;
  assertMovable(ref, { as: "source", transports: references.transports });
  return ref;
}

/** Returns its name in the cache. Content requested by digest has none. */
export function nameOfOrigin(references: References, from: Origin): string | undefined {
  return typeof from === "string" ? undefined : references.nameInCache(from);
}

/** Returns the tag of the source, or its full reference where tags are references, as in a docker-archive. */
export function defaultName(references: References, to: Ref, from: Origin): string | undefined {
  if (typeof from === "string") return undefined;
  if (!references.transports.of(to).fullNames || from.transport !== "docker") return from.tag;
  return from.tag === undefined ? undefined : `${from.registry}/${from.repository}:${from.tag}`;
}

/** Rejects a registry without `docker://` as the destination of a pull, because `build/app` may be a folder. @throws MOTE_INVALID_REFERENCE */
export function assertPullDestination(text: string): void {
  const bare = bareDestination(text);
  if (bare !== undefined) throw invalidReference(text, `cannot pull to ${bare.reason}`, bare.reason);
}

/** Returns a check that the manifest has the digest in the destination's reference. */
export function onlyOf(wanted: Digest | undefined): TransferOptions["verify"] {
  if (wanted === undefined) return undefined;
  return ({ digest }) => {
    if (digest === wanted) return;
    throw new MoteError(
      "MOTE_DIGEST_MISMATCH",
      `cannot move ${digest} to a destination with the digest ${wanted}; omit that digest, or choose another source or platform`,
      { details: { digest, expected: wanted, actual: digest } },
    );
  };
}
