import type { Digest, Ref } from "@mote/core";
import type { TransferReport, TransferredRef } from "@mote/transfer";
import type { Origin } from "../references/origin.js";
import { locationOf, type References } from "../references/references.js";

export interface MovedRef extends TransferredRef {
  /**
   * The full reference at the destination, or in the cache. It can be used as a source. It contains the digest, if references of the
   * transport can.
   */
  readonly reference: string;
}

export interface MoveReport extends TransferReport {
  readonly refs: readonly MovedRef[];
}

/** Adds the reference of each image: at `to`, or in the cache under the name of its origin. */
export function withReferences(
  references: References,
  report: TransferReport,
  from: Origin | undefined,
  to: Ref | undefined,
): MoveReport {
  const refs = report.refs.map((moved): MovedRef => {
    const { descriptor, resolved, tag } = moved;
    const reference =
      to === undefined
        ? inCache(references, from, resolved.digest)
        : atDestination(references, to, { tag, digest: descriptor.digest });
    return { ...moved, reference };
  });
  return { ...report, refs };
}

function inCache(references: References, from: Origin | undefined, digest: Digest): string {
  if (from === undefined || typeof from === "string") return digest;
  if (from.transport === "docker") return references.nameInCache({ ...from, digest });
  return references.formatAbsolute({ ...from, ...(hasDigests(references, from) ? { digest } : {}) });
}

function atDestination(
  references: References,
  to: Ref,
  { tag, digest }: { readonly tag: string | undefined; readonly digest: Digest },
): string {
  const named = tag === undefined || !references.transports.of(to).holdsMany ? {} : { tag };
  return references.formatAbsolute({ ...locationOf(to), ...named, ...(hasDigests(references, to) ? { digest } : {}) });
}

/** Returns whether references select a manifest by digest. Those of a docker-archive cannot: its manifests are generated. */
function hasDigests({ transports }: References, ref: Ref): boolean {
  const { byDigest, holdsMany } = transports.of(ref);
  return byDigest && holdsMany;
}
