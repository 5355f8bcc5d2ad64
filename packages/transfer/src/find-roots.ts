import {
  type Descriptor,
  formatPlatform,
  isDigest,
  type Platform,
  PlatformMatcher,
  type Ref,
  sniffManifestType,
  untilAborted,
} from "@mote/core";
import { ConfigReader } from "./config-reader.js";
import type { Job } from "./job.js";
import type { LoadedManifest, ManifestLoader } from "./manifest-loader.js";
import { pickPlatform } from "./pick-platform.js";
import { digestOf, locationOf, ownTag } from "./refs.js";

/** A reference to transfer. */
export interface Root {
  readonly ref: Ref | string;
  /** What the source resolved it to. */
  readonly resolved: Descriptor;
  /** What is moved: `resolved`, or the manifest of the selected platform. */
  readonly descriptor: Descriptor;
  /** The platform that was selected. */
  readonly platform: Platform | undefined;
  /** The indexes through which the platform was found, the outermost first. */
  readonly indexes: readonly LoadedManifest[];
  /** Its tag at the destination, or its name in the cache. */
  readonly name: string | undefined;
  /** Its location at the source, for the blob-info cache. */
  readonly from: Ref | undefined;
  /** Its location at the destination, for the blob-info cache. */
  readonly to: Ref | undefined;
}

interface WantedRoots {
  readonly refs: readonly (Ref | string)[];
  /** Names in the destination, by the position of the reference. */
  readonly tags?: readonly (string | undefined)[] | undefined;
  /** One for each of `refs`. */
  readonly platforms: readonly (Platform | undefined)[];
}

/** Resolves the references of a transfer, and selects their platforms. @throws as `transfer` */
export async function findRoots(
  job: Job,
  loader: ManifestLoader,
  { refs, tags = [], platforms }: WantedRoots,
): Promise<readonly Root[]> {
  const configs = new ConfigReader(job);
  const roots = new Map<number, Root>();
  await job.forEach(refs.entries(), async ([at, ref]) => {
    const options = { ...job.callOptions(), blobsFollow: true };
    const resolving = async () => (await resolveFromCache(loader, ref)) ?? (await job.source.resolve(ref, options));
    // The media type in the manifest takes precedence over that of a registry's header or a layout's entry.
    const { descriptor: resolved } = await loader.loadNamed(ref, await untilAborted(resolving(), options.signal));
    const platform = platforms[at];
    const everything = { descriptor: resolved, platform: undefined, indexes: [] };
    const picked = platform === undefined ? everything : await pickPlatform(loader, configs, resolved, platform);
    const { descriptor } = picked;
    if (platform !== undefined) noticeOtherArchitecture(job, platform, picked.platform);
    const wanted = tags[at] ?? (job.destination === undefined ? undefined : ownTag(ref));
    const canName = job.destination !== undefined || job.cache.tags !== undefined;
    const name = !canName || isDigest(wanted) ? undefined : wanted;
    const from = locationOf(job.source.ref, { tag: ownTag(ref), digest: digestOf(ref) });
    const to = locationOf(job.destination?.ref, {
      tag: name,
      digest: name === undefined ? descriptor.digest : undefined,
    });
    roots.set(at, { ...picked, ref, resolved, name, from, to });
  });
  return [...roots].sort(([a], [b]) => a - b).map(([, root]) => root);
}

/** Reports if the selected platform has another architecture, such as 386 for amd64. */
function noticeOtherArchitecture(job: Job, wanted: Platform, picked: Platform | undefined): void {
  if (picked === undefined || new PlatformMatcher(wanted).isSameArchitecture(picked)) return;
  job.notice(
    `the image has no platform ${formatPlatform(wanted)}; using ${formatPlatform(picked)}, which is compatible`,
  );
}

/** Resolves a digest whose manifest is in the cache, without the source. */
async function resolveFromCache(loader: ManifestLoader, ref: Ref | string): Promise<Descriptor | undefined> {
  const digest = digestOf(ref);
  const bytes = digest && (await loader.fromCache(digest));
  return digest && bytes && { digest, size: bytes.byteLength, mediaType: sniffManifestType(bytes) };
}
