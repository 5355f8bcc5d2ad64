import { type Descriptor, type Digest, formatLocation, formatPlatform, MoteError, manifestChildren } from "@mote/core";
import type { Root } from "./find-roots.js";
import type { Graph } from "./graph.js";
import type { Job } from "./job.js";
import type { LoadedManifest } from "./manifest-loader.js";

/** How many missing manifests a message lists. */
const maxShown = 8;

/** Returns the manifests that indexes below a root list but the source does not have. */
export function missingBelow(graph: Graph, root: Descriptor): readonly Descriptor[] {
  return graph.missing.size === 0 ? [] : listedBelow(graph, root).filter(({ digest }) => graph.missing.has(digest));
}

/**
 * Reports the missing platforms of an index, as in many archives.
 * @throws MOTE_NOT_FOUND if all platforms are missing, or if the destination is a registry, which accepts only complete indexes
 */
export async function reportMissing(job: Job, graph: Graph, roots: readonly Root[]): Promise<void> {
  for (const { descriptor: root } of roots) {
    const missing = missingBelow(graph, root);
    if (missing.length === 0) continue;
    const listed = listedBelow(graph, root);
    const available = listed.filter((entry) => !graph.missing.has(entry.digest) && isImage(entry));
    const source = job.source.ref === undefined ? "the source" : formatLocation(job.source.ref);
    const what = `${source} has an incomplete index ${root.digest}: missing ${shown(missing)}`;
    const advice = adviceFrom(available);
    const details = { digest: root.digest, missing: missing.map(entryOf), platforms: platformsOf(available) };
    if (listed.every((entry) => graph.missing.has(entry.digest) || !isImage(entry)))
      throw new MoteError(
        "MOTE_NOT_FOUND",
        `${what}, which are all its platforms; get it from where it was published`,
        {
          details,
        },
      );
    if (job.destination?.ref?.transport === "docker" && !(await destinationHas(job, missing))) {
      throw new MoteError("MOTE_NOT_FOUND", `${what}; a registry accepts only a complete index${advice}`, { details });
    }
    job.notice(`${what}; moving the rest${advice}`);
  }
}

/** Returns whether the destination already has the entries. */
async function destinationHas(job: Job, missing: readonly Descriptor[]): Promise<boolean> {
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

/** Returns false for attestations, which have the platform "unknown". */
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
  const texts = missing.slice(0, maxShown).map(({ digest, platform }) => {
    return platform === undefined ? digest : `${formatPlatform(platform)} (${digest})`;
  });
  const more = missing.length - texts.length;
  return texts.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function adviceFrom(available: readonly Descriptor[]): string {
  const [first, ...others] = platformsOf(available);
  if (first === undefined) return "";
  return `; choose an available platform with --platform ${first}${others.map((one) => ` or ${one}`).join("")}`;
}
