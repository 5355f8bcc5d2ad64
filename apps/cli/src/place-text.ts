import type { Ref } from "@mote/core";
import { formatRef } from "./wire.js";

/** Where a blob was seen: of a registry the repository, for a blob has no tag. */
export function placeText(ref: Ref): string {
  return ref.transport === "docker" ? `docker://${ref.registry}/${ref.repository}` : formatRef(ref, { scheme: true });
}
