import { existsSync } from "node:fs";
import { type Cancellable, MoteError, type Ref } from "@mote/core";
import type { Parts } from "../parts.js";
import { invalidReference } from "../references/invalid-reference.js";
import { bareDestination, hasTransport } from "../references/plain-paths.js";
import { readHave } from "./have.js";
import { localTarget } from "./local-target.js";
import { readRegistryPrefix } from "./registry-prefix.js";
import { registryTarget } from "./registry-target.js";
import type { SyncTarget } from "./sync-target.js";
import type { SyncOptions } from "./types.js";

type TargetOptions = Cancellable & Pick<SyncOptions, "without" | "partBytes" | "overwrite">;

/** Opens `docker://HOST[/PREFIX]`, `oci:DIR` or `oci-archive:FILE`. @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT, and as `Have.read` */
export async function openTarget(text: string, parts: Parts, options: TargetOptions): Promise<SyncTarget> {
  const { without = [], partBytes, overwrite, signal } = options;
  const { references, logger } = parts;
  const isRegistry = text.startsWith("docker://");
  const ref = isRegistry ? undefined : localPlace(text, parts);
  if (ref?.transport !== "oci-archive" && (without.length > 0 || partBytes !== undefined)) {
    const what = without.length > 0 ? "--without" : "--split";
    throw invalid(text, `only an archive is written ${what === "--split" ? "in parts" : what}; write oci-archive:FILE`);
  }
  if (ref === undefined) return registryTarget(await readRegistryPrefix(text), parts);
  const layout = await import("@mote/layout");
  const reference = references.format(ref);
  const { path } = ref;
  const have = await readHave(without, parts, { signal });
  if (ref.transport === "oci") {
    const destination = new layout.LayoutDestination(path);
    return localTarget({ destination, content: new layout.LayoutSource(path), reference, have });
  }
  const destination = new layout.OciArchiveSet(path, {
    logger,
    overwrite,
    partBytes,
    without: (digest) => have.imagesWith(digest),
  });
  if (existsSync(path) && layout.archiveInParts(path) !== undefined) {
    throw invalid(text, "it is a part of an archive, which cannot be added to; name the whole archive");
  }
  // Parts are always written again, with all images.
  const isAddedTo = path !== "-" && partBytes === undefined && existsSync(path);
  const content = isAddedTo ? new layout.OciArchiveSource(path) : undefined;
  return localTarget({ destination, content, reference, have });
}

function localPlace(text: string, { references }: Parts): Exclude<Ref, { transport: "docker" }> {
  const bare = hasTransport(text) ? undefined : bareDestination(text);
  if (bare !== undefined) throw invalid(text, `write docker://${text}, oci:DIR or oci-archive:FILE`);
  if (!hasTransport(text)) throw invalid(text, `write oci:${text} for a layout`);
  const ref = references.parseMovable(text, "destination");
  if (ref.transport !== "oci" && ref.transport !== "oci-archive") {
    throw new MoteError(
      "MOTE_UNSUPPORTED_TRANSPORT",
      `cannot sync to ${text}; use docker://HOST, oci:DIR or oci-archive:FILE for several images`,
      { details: { transport: ref.transport } },
    );
  }
  if (ref.tag !== undefined || ref.digest !== undefined || ref.index !== undefined) {
    throw invalid(text, `it names one image; leave out the name, as each image keeps its own`);
  }
  return ref;
}

function invalid(text: string, why: string): MoteError {
  return invalidReference(text, `cannot sync to ${text.slice(0, 160)}: ${why}`, why);
}
