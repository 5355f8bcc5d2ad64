import { resolve } from "node:path";
import type { Digest, PathRef, Ref } from "@mote/core";
import { formatRef, parseRef } from "@mote/ref";
import type { TransferReport, TransferredRef } from "@mote/transfer";
import { nameInCache } from "../references/find-by-name.js";
import type { Origin } from "../references/references.js";

export interface MovedRef extends TransferredRef {
  /**
   * Where it is now, in full: at the destination, or in the cache, which knows it as what its reference stands for. It can be given as
   * a source again. Its digest is in it, where the place's references have one.
   */
  readonly reference: string;
}

export interface MoveReport extends TransferReport {
  readonly refs: readonly MovedRef[];
}

/** Adds where everything is. Without `to`, in the cache, under the name of its origin. */
export function withReferences(report: TransferReport, from: Origin | undefined, to: Ref | undefined): MoveReport {
  const refs = report.refs.map((moved): MovedRef => {
    const { descriptor, resolved, tag } = moved;
    const reference =
      to === undefined ? inCache(from, resolved.digest) : referenceTo(to, { tag, digest: descriptor.digest });
    return { ...moved, reference };
  });
  return { ...report, refs };
}

function inCache(from: Origin | undefined, digest: Digest): string {
  if (from === undefined || typeof from === "string") return digest;
  if (from.transport === "docker") return nameInCache({ ...from, digest });
  return pathReference({ ...from, ...(hasDigests(from) ? { digest } : {}) });
}

function referenceTo(to: Ref, { tag, digest }: { readonly tag: string | undefined; readonly digest: Digest }): string {
  const named = tag === undefined ? {} : { tag };
  if (to.transport === "docker") {
    const { transport, registry, repository, scheme } = to;
    const place = { transport, registry, repository, ...(scheme === undefined ? {} : { scheme }) };
    return formatRef({ ...place, ...named, digest }, { scheme: true });
  }
  const { transport, path } = to;
  return pathReference({
    transport,
    path,
    ...(transport === "dir" ? {} : named),
    ...(hasDigests(to) ? { digest } : {}),
  });
}

/** What is taken out of a docker-archive or a folder of files has a manifest of its own making. */
function hasDigests({ transport }: PathRef): boolean {
  return transport === "oci" || transport === "oci-archive";
}

/** With the full path, unless that has a colon, which would be read as the beginning of a name. */
function pathReference(ref: PathRef): string {
  const full = { ...ref, path: resolve(ref.path) };
  const text = formatRef(full, { scheme: true });
  const read = parseRef(text);
  return "path" in read && read.path === full.path ? text : formatRef(ref, { scheme: true });
}
