import { MoteError } from "@mote/core";
import type { Parts } from "../parts.js";
import { readOrigin } from "../references/origin.js";
import { readImage } from "./image-content.js";
import type { DocumentKind, InspectOptions, ReferenceDocument } from "./inspection.js";
import { pickImage } from "./pick-image.js";

/** Reads a manifest or config as `OpenMote.readDocument` does. */
export async function readDocument(
  parts: Parts,
  reference: string,
  what: DocumentKind,
  { platform, signal }: InspectOptions,
): Promise<ReferenceDocument> {
  const from = await readOrigin(parts.cache, parts.references, reference);
  return readImage(from, parts, { platform, signal }, async (content) => {
    const isRoot = what === "manifest" && platform === undefined;
    const descriptor = isRoot ? content.root : (await pickImage(content, reference, platform)).descriptor;
    const bytes = await content.manifestBytes(descriptor);
    if (what === "manifest") return { descriptor, bytes, warnings: [] };
    const manifest = await content.manifest(descriptor);
    if (manifest.kind === "manifest" && manifest.config !== undefined) {
      return { descriptor, bytes: await content.configBytes(manifest.config), warnings: [] };
    }
    throw new MoteError("MOTE_NOT_FOUND", `${reference} has no config`, { details: { digest: descriptor.digest } });
  });
}
