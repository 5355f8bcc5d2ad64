import {
  type CallOptions,
  type Descriptor,
  type Digest,
  describeReferrer,
  ifFound,
  isManifestType,
  MoteError,
  maxReferrersBytes,
  parseManifest,
} from "@mote/core";
import { linkTarget } from "../http/link-header.js";
import type { RegistryResponse } from "../registry-request.js";
import { protocolError } from "../reports/protocol-error.js";
import { subjectName } from "../reports/subject.js";
import type { RepositoryApi } from "../repository-api.js";
import { isIndex, isManifestItself, readIndex, readReferrersTag } from "./referrers-index.js";

/** Pages of one manifest's referrers. */
const maxReferrerPages = 200;
/** Referrers of one manifest. */
const maxListedReferrers = 10_000;

export interface ReferrersOptions extends CallOptions {
  /** Filters by the manifest's `artifactType`, or else its config's type. Default: all. */
  readonly artifactType?: string | undefined;
}

interface ListingOptions extends ReferrersOptions {
  /** Lists the referrers if the registry has no API. Default: those of the referrers tag. */
  readonly withoutApi?: (() => Promise<readonly Descriptor[] | undefined>) | undefined;
}

/** Lists a manifest's referrers by the API, else the referrers tag. @throws MOTE_TOO_LARGE with the bound · MOTE_INVALID_MANIFEST */
export async function* listReferrers(
  api: RepositoryApi,
  digest: Digest,
  { artifactType, withoutApi, ...options }: ListingOptions,
): AsyncGenerator<Descriptor, void, undefined> {
  const byTag = withoutApi ?? (() => readReferrersTag(api, digest, { ...options, actions: "pull" }));
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  let page: URL | undefined = api.url(`referrers/${digest}${query}`);
  const seen = new Set<string>();
  const listed = new Set<Digest>();
  const count = withinBounds(api, digest);
  while (page !== undefined) {
    if (seen.has(page.href))
      throw protocolError(api.subject({ digest }), "its pages of referrers go round in a circle");
    seen.add(page.href);
    count("pages", 1);
    const found = await readIndex(api, { path: page, what: `referrers of ${digest}`, digest, ...options });
    if (!isIndex(found) && seen.size > 1) {
      throw protocolError(api.subject({ digest }), "a later page of its referrers is not an index");
    }
    if (isIndex(found)) count("bytes", found.bytes.byteLength);
    const tagged = isIndex(found) ? undefined : await byTag();
    const referrers = isIndex(found) ? found.index.manifests : (tagged ?? []);
    count("referrers", referrers.length);
    // zot repeats a referrer for each of its tags.
    const unlisted = referrers.filter(({ digest: one }) => !listed.has(one) && listed.add(one));
    if (artifactType === undefined) yield* unlisted;
    else yield* ofType(api, unlisted, artifactType, options);
    page = isIndex(found) ? nextPage(api, digest, page, found.response) : undefined;
  }
}

/** Returns a function that counts the referrers of one manifest, within the limits. */
function withinBounds(api: RepositoryApi, digest: Digest) {
  const bounds = { pages: maxReferrerPages, referrers: maxListedReferrers, bytes: maxReferrersBytes };
  const left = { ...bounds };
  return (what: keyof typeof bounds, more: number): void => {
    left[what] -= more;
    if (left[what] >= 0) return;
    const bound = bounds[what];
    const subject = api.subject({ digest });
    const text = what === "referrers" ? `more than ${bound} referrers` : `referrers in more than ${bound} ${what}`;
    throw new MoteError(
      "MOTE_TOO_LARGE",
      `${subjectName(subject)}: ${text} of ${digest}; leave out the referrers, or remove some there`,
      { details: { ...subject, what, bound } },
    );
  };
}

/** Filters by type: a registry may leave that to the client (`OCI-Filters-Applied`), and may omit the types. */
async function* ofType(
  api: RepositoryApi,
  referrers: readonly Descriptor[],
  artifactType: string,
  options: CallOptions,
): AsyncGenerator<Descriptor, void, undefined> {
  for (const one of referrers) {
    const isTold = one.artifactType !== undefined && one.artifactType !== "";
    const described = isTold || !isManifestType(one.mediaType) ? one : await describe(api, one, options);
    if (described?.artifactType === artifactType) yield described;
  }
}

/** Returns undefined if it does not exist, or is something else. */
async function describe(api: RepositoryApi, one: Descriptor, options: CallOptions): Promise<Descriptor | undefined> {
  const { digest } = one;
  const found = await ifFound(api.getManifest(digest, { ...options, what: `manifest ${digest}`, digest }));
  if (found === undefined || !isManifestItself(found.bytes, digest)) return undefined;
  return describeReferrer(one, parseManifest(found.bytes, one.mediaType));
}

/** The next page must be on this registry, as credentials are sent for it. */
function nextPage(api: RepositoryApi, digest: Digest, page: URL, response: RegistryResponse): URL | undefined {
  const target = linkTarget(response.headers("link"), "next");
  if (target === undefined) return undefined;
  const url = api.follow(target, page);
  if (url.origin === page.origin) return url;
  throw protocolError(api.subject({ digest }), "its next page of referrers is not on this registry");
}
