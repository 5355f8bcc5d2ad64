import { type Descriptor, type Digest, formatPlatform, MoteError, manifestChildren, type Ref } from "@mote/core";
import type { Graph } from "./graph.js";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./loaded-manifest.js";
import type { Root } from "./root.js";

/** Missing manifests that a message lists. */
const shownMissing = 8;

/** What the indexes below a root list and the source does not have. */
export function missingBelow(graph: Graph, root: Descriptor): readonly Descriptor[] {
  return graph.missing.size === 0 ? [] : listedBelow(graph, root).filter(({ digest }) => graph.missing.has(digest));
}

/**
 * Says what is left out of an index of which the source has some platforms alone: an archive, as a rule. A registry takes an index only if
 * it has everything that the index lists, and a smaller index would be another image.
 * @throws MOTE_NOT_FOUND where the source has nothing of it, or the destination cannot take the rest
 */
export async function reportMissing(job: Job, graph: Graph, roots: readonly Root[]): Promise<void> {
  for (const { descriptor: root } of roots) {
    const missing = missingBelow(graph, root);
    if (missing.length === 0) continue;
    const listed = listedBelow(graph, root);
    const there = listed.filter((entry) => !graph.missing.has(entry.digest) && isImage(entry));
    const what = `${placeText(job.source.ref)} has only a part of the index ${root.digest}: missing ${shown(missing)}`;
    const advice = adviceFrom(there);
    const details = { digest: root.digest, missing: missing.map(entryOf), platforms: platformsOf(there) };
    if (listed.every((entry) => graph.missing.has(entry.digest) || !isImage(entry)))
      throw new MoteError("MOTE_NOT_FOUND", `${what}, which is everything; get it from where it came from`, {
        details,
      });
    if (job.destination?.ref?.transport === "docker" && !(await areThere(job, missing))) {
      throw new MoteError(
        "MOTE_NOT_FOUND",
        `${what}; a registry takes an index only with everything that it lists${advice}`,
        { details },
      );
    }
    job.notice(`${what}; the rest is moved${advice}`);
  }
}

/** A registry may have them from before. */
async function areThere(job: Job, missing: readonly Descriptor[]): Promise<boolean> {
  for (const entry of missing) if (!(await job.destination?.has(entry, job.callOptions()))) return false;
  return true;
}

function listedBelow({ manifests }: Graph, root: Descriptor): readonly Descriptor[] {
  const loaded = new Map<Digest, LoadedManifest>(manifests.flat().map((one) => [one.descriptor.digest, one]));
  const listed = new Map<Digest, Descriptor>();
  const waiting = [root];
  for (const { digest } of waiting) {
    const found = loaded.get(digest);
    for (const child of found === undefined ? [] : manifestChildren(found.manifest).manifests) {
      if (listed.has(child.digest)) continue;
      listed.set(child.digest, child);
      waiting.push(child);
    }
  }
  return [...listed.values()];
}

/** Attestations are listed for a platform that is none. */
function isImage({ platform }: Descriptor): boolean {
  return platform?.os !== "unknown";
}

function entryOf({ digest, platform }: Descriptor): object {
  return { digest, ...(platform === undefined ? {} : { platform: formatPlatform(platform) }) };
}

function platformsOf(entries: readonly Descriptor[]): readonly string[] {
  const all = entries.flatMap(({ platform }) =>
    platform?.os && platform.architecture ? formatPlatform(platform) : [],
  );
  return [...new Set(all)].sort();
}

function shown(missing: readonly Descriptor[]): string {
  const texts = missing.slice(0, shownMissing).map(({ digest, platform }) => {
    return platform === undefined ? digest : `${formatPlatform(platform)} (${digest})`;
  });
  const more = missing.length - texts.length;
  return texts.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function adviceFrom(there: readonly Descriptor[]): string {
  const [first, ...others] = platformsOf(there);
  if (first === undefined) return "";
  return `; choose what is there with --platform ${first}${others.map((one) => ` or ${one}`).join("")}`;
}

function placeText(ref: Ref | undefined): string {
  if (ref === undefined) return "the source";
  return ref.transport === "docker" ? `${ref.registry}/${ref.repository}` : `${ref.transport}:${ref.path}`;
}
