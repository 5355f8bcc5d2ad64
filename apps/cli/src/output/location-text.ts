import type { Ref } from "@mote/core";
import { formatRef } from "../wire.js";

/** Returns the location of a blob. For a registry it is the repository, because blobs have no tags. */
export function locationText(ref: Ref): string {
  if (ref.transport !== "docker") return formatRef(ref, { scheme: true });
  return `${ref.scheme ?? "docker"}://${ref.registry}/${ref.repository}`;
}
