import { type Digest, isDigest, type MoteCache, MoteError, type Ref } from "@mote/core";
import { assertMovable } from "@mote/ref";
import type { TransferOptions } from "@mote/transfer";
import { findByName } from "./find-by-name.js";
import { bareDestination } from "./plain-paths.js";
import type { References } from "./references.js";

/** Where something comes from: a location, or wherever the content of a digest is. */
export type Origin = Ref | Digest;

/**
 * Reads a source: a reference, or a digest (`sha256:…`, `hash://sha256/…`), of which 6 digits are enough if it is cached.
 * @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT · MOTE_NOT_FOUND · MOTE_AMBIGUOUS
 */
export async function readOrigin(cache: MoteCache, references: References, text: string): Promise<Origin> {
  if (isDigest(text)) return text;
  if (/^sha(?:256|384|512):[0-9a-f]+$/.test(text)) return (await findByName(cache, text, { references })).digest;
  const ref = references.parse(text);
  if (ref.transport === "hash" && ref.digest !== undefined) return ref.digest;
  assertMovable(ref, { as: "source", transports: references.transports });
  return ref;
}

/** Returns the cache's name for it. Content requested by its digest has no name. */
export function nameOfOrigin(references: References, from: Origin): string | undefined {
  return typeof from === "string" ? undefined : references.nameInCache(from);
}

/** Returns the source's tag; where names are whole references, as in a docker-archive, all of it. */
export function defaultName(references: References, to: Ref, from: Origin): string | undefined {
  if (typeof from === "string") return undefined;
  if (!references.transports.of(to).fullNames || from.transport !== "docker") return from.tag;
  return from.tag === undefined ? undefined : `${from.registry}/${from.repository}:${from.tag}`;
}

/** Refuses a registry without `docker://` as the destination of a pull, as `build/app` may mean a folder. @throws MOTE_INVALID_REFERENCE */
export function assertPullDestination(text: string): void {
  const bare = bareDestination(text);
  if (bare === undefined) return;
  throw new MoteError("MOTE_INVALID_REFERENCE", `cannot pull to ${bare.reason}`, {
    details: { text, position: 0, reason: bare.reason },
  });
}

/** Returns a check that what is moved is the manifest that the destination is written with. */
export function onlyOf(wanted: Digest | undefined): TransferOptions["verify"] {
  if (wanted === undefined) return undefined;
  return ({ digest }) => {
    if (digest === wanted) return;
    throw new MoteError(
      "MOTE_DIGEST_MISMATCH",
      `cannot move ${digest} to a destination that says ${wanted}; leave the digest out there, or choose the right source or platform`,
      { details: { digest, expected: wanted, actual: digest } },
    );
  };
}
