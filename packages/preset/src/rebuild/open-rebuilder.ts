import type { Parts } from "../parts.js";
import type { Origin } from "../references/origin.js";
import type { DeltaMode, LayerRebuilder } from "./layer-rebuilder.js";

const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/;

/** Returns the rebuilder of the layers of an image; undefined if they are fetched. */
export async function openRebuilder(
  from: Origin,
  parts: Parts,
  mode: DeltaMode = "auto",
): Promise<LayerRebuilder | undefined> {
  const { cache, endpoints, references } = parts;
  if (typeof from === "string" || from.transport !== "docker" || mode === "never") return undefined;
  // Content that is in a bucket or a tier has to be fetched itself.
  if (endpoints.offline || cache.linkTo === undefined || cache.fill !== undefined) return undefined;
  // No encoder is as fast as this machine's own loopback.
  if (mode === "auto" && loopback.test(from.registry)) return undefined;
  const { LayerRebuilder } = await import("./layer-rebuilder.js");
  return new LayerRebuilder(parts, references.nameInCache(from), mode);
}
