import type { Parts } from "../parts.js";
import type { Origin } from "../references/origin.js";
import type { DeltaMode, LayerRebuilder } from "./layer-rebuilder.js";
import type { RebuildQueue } from "./rebuild-queue.js";

const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/;

/**
 * Returns the rebuilder of the layers of an image; undefined if they are fetched.
 * @param options.queue shared with other images; the rebuilder's own by default
 */
export async function openRebuilder(
  from: Origin,
  parts: Parts,
  { mode = "auto", queue: shared }: { readonly mode?: DeltaMode | undefined; readonly queue?: RebuildQueue } = {},
): Promise<LayerRebuilder | undefined> {
  const { cache, endpoints, references } = parts;
  // Nothing is faster than reading a local file.
  const isRemote = typeof from === "string" || from.transport === "docker";
  if (mode === "never" || !isRemote || endpoints.offline) return undefined;
  // Content that is in a bucket or a tier has to be fetched itself.
  if (cache.linkTo === undefined || cache.fill !== undefined) return undefined;
  // No encoder is as fast as this machine's own loopback.
  if (mode === "auto" && typeof from === "object" && "registry" in from && loopback.test(from.registry))
    return undefined;
  const { layerRebuilder } = await import("./layer-rebuilder.js");
  const { RebuildQueue } = await import("./rebuild-queue.js");
  const queue = shared ?? new RebuildQueue();
  const name = typeof from === "string" ? undefined : references.nameInCache(from);
  const rebuilder = layerRebuilder(parts, { name, mode, queue });
  return {
    rebuild: rebuilder.rebuild,
    async [Symbol.asyncDispose]() {
      if (shared === undefined) await queue[Symbol.asyncDispose]();
      await rebuilder[Symbol.asyncDispose]();
    },
  };
}
