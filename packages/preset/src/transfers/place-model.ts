import { lstat } from "node:fs/promises";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { type HomeFolders, homeFolders, MoteError } from "@mote/core";
import type { FilesDestination, ModelTool } from "@mote/layout";
import type { PlaceModelOptions } from "../mote.js";
import type { Parts } from "../parts.js";
import { invalidReference } from "../references/invalid-reference.js";
import { type Origin, readOrigin } from "../references/origin.js";
import type { Mover } from "./mover.js";
import type { PlacedModel } from "./placed-model.js";

/** Places a model where a tool looks for it, as `OpenMote.place` does. */
export async function placeModel(
  { parts, mover }: { readonly parts: Parts; readonly mover: Mover },
  source: string,
  toolName: string,
  options: PlaceModelOptions,
): Promise<PlacedModel> {
  const { modelTool } = await import("@mote/layout");
  const tool = modelTool(toolName);
  if (tool.needsAllFiles && options.only !== undefined) {
    throw new TypeError(`${tool.name} needs all files of a model; use place without only`);
  }
  const from = await readOrigin(parts.cache, parts.references, source);
  const { name, folder, arrange } = tool.place(modelName(from, source));
  const dir = resolve(toolFolder(tool, homeFolders(process.env, userInfo)), folder);
  let destination: FilesDestination | undefined;
  const report = await mover.pullFiles(from, { ...options, link: true }, async (placing) => {
    destination = await parts.endpoints.folder(dir, { ...placing, arrange });
    return destination;
  });
  const files = await Promise.all(
    (destination?.paths() ?? []).map(async (path) => {
      const stats = await lstat(join(dir, path));
      return stats.isDirectory() ? { path } : { path, size: stats.size, isHardLink: stats.nlink > 1 };
    }),
  );
  return { tool: tool.name, name, dir, files, report };
}

/** @throws MOTE_INVALID_REFERENCE */
function modelName(from: Origin, source: string) {
  if (typeof from !== "string" && from.transport === "docker") return from;
  const reason = "a tool finds a model by the name that it has in a registry";
  throw invalidReference(source, `cannot place ${source}: ${reason}; use HOST/NAMESPACE/MODEL:TAG`, reason);
}

function toolFolder(tool: ModelTool, home: HomeFolders): string {
  const folder = tool.folder(process.env, home);
  if (folder !== undefined) return folder;
  throw new MoteError("MOTE_CONFIG", `cannot find the folder of ${tool.name}: there is no home folder; set HOME`);
}
