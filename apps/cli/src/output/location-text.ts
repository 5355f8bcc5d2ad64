import type { Ref } from "@mote/core";
import { formatRef } from "../wire.js";

/** Where a blob was seen: of a registry the repository, for a blob has no tag. */
export function locationText(ref: Ref): string {
  if (ref.transport !== "docker") return formatRef(ref, { scheme: true });
  return `${ref.scheme ?? "docker"}://${ref.registry}/${ref.repository}`;
}
