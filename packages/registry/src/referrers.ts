import {
  type Cancellable,
  collectChunks,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestEncoded,
  isNotFound,
  type Manifest,
  maxManifestBytes,
  mediaTypes,
  parseManifest,
} from "@mote/core";
import type { RegistryAnswer } from "./client.js";
import { protocolFault } from "./fault.js";
import { bareType, type RepositoryApi } from "./repository-api.js";

/** A registry that goes on for longer than this is going round in a circle. */
const maxPages = 1000;

export interface ReferrersOptions extends Cancellable {
  /** Only those of this type: of their manifest's `artifactType`, or else of its config. Default: all. */
  readonly artifactType?: string | undefined;
}

/** What refers to the manifest, a page at a time. @throws MOTE_INVALID_MANIFEST */
export async function* listReferrers(
  api: RepositoryApi,
  digest: Digest,
  { artifactType, ...options }: ReferrersOptions,
): AsyncGenerator<Descriptor, void, undefined> {
  // A registry may leave the choice to who asks (`OCI-Filters-Applied`), and then pages are of all. So it is made here in any case.
  const isWanted = (one: Descriptor) => artifactType === undefined || one.artifactType === artifactType;
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  let path: string | URL | undefined = `referrers/${digest}${query}`;
  for (let page = 1; path !== undefined; page++) {
    if (page > maxPages) throw protocolFault(api.subject({ digest }), `more than ${maxPages} pages of referrers`);
    const found: ReferrersPage | undefined = await readPage(api, digest, path, options);
    if (found === undefined && page > 1)
      throw protocolFault(api.subject({ digest }), "a page of its referrers is no index");
    const referrers = found?.referrers ?? (await readTag(api, digest, { ...options, actions: "pull" }));
    yield* referrers.filter(isWanted);
    path = found?.next;
  }
}

interface ReferrersPage {
  readonly referrers: readonly Descriptor[];
  readonly next: URL | undefined;
}

/** Undefined where the registry has no such API. */
function readPage(
  api: RepositoryApi,
  digest: Digest,
  path: string | URL,
  options: Cancellable,
): Promise<ReferrersPage | undefined> {
  const what = `referrers of ${digest}`;
  const accepts = (status: number) => status === 200 || status === 404 || status === 405;
  const headers = { accept: mediaTypes.ociIndex };
  return api.send({ method: "GET", path, what, headers, digest, accepts, ...options }, async (answer) => {
    // Some registries without the API answer 200 with what is no index.
    if (answer.status !== 200 || bareType(answer.header("content-type")) !== mediaTypes.ociIndex) {
      answer.discard();
      return undefined;
    }
    const bytes = await collectChunks(answer.body, { maxBytes: maxManifestBytes, what });
    const index = parseManifest(bytes, mediaTypes.ociIndex);
    return { referrers: index.kind === "index" ? index.manifests : [], next: nextPage(api, digest, answer) };
  });
}

/**
 * Adds a manifest to the index of its subject's tag, as whoever sends it has to do where the registry has no referrers API
 * (distribution-spec, "Pushing Manifests with Subject"). Two who do so at once may lose one of the two.
 */
export async function addTaggedReferrer(
  api: RepositoryApi,
  subject: Digest,
  descriptor: Descriptor,
  manifest: Manifest,
  options: Cancellable,
): Promise<void> {
  const { mediaType, digest, size } = descriptor;
  const known = await readTag(api, subject, { ...options, actions: "pull,push" });
  if (known.some((one) => one.digest === digest)) return;
  const artifactType = manifest.artifactType ?? (manifest.kind === "manifest" ? manifest.config.mediaType : undefined);
  const added = { mediaType, digest, size, artifactType, annotations: manifest.annotations };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [...known, added] };
  const tag = referrersTag(subject);
  await api.send(
    {
      method: "PUT",
      path: `manifests/${tag}`,
      what: `tag ${tag}`,
      headers: { "content-type": mediaTypes.ociIndex },
      body: new TextEncoder().encode(JSON.stringify(index)),
      reference: tag,
      actions: "pull,push",
      ...options,
    },
    (answer) => answer.discard(),
  );
}

/** The index under the tag `sha256-<hex>` (distribution-spec, "Referrers Tag Schema"). */
async function readTag(
  api: RepositoryApi,
  subject: Digest,
  options: Cancellable & { readonly actions: "pull" | "pull,push" },
): Promise<readonly Descriptor[]> {
  const tag = referrersTag(subject);
  try {
    const { bytes } = await api.getManifest(tag, { ...options, what: `tag ${tag}` });
    const index = parseManifest(bytes, mediaTypes.ociIndex);
    return index.kind === "index" ? index.manifests : [];
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

function referrersTag(digest: Digest): string {
  return `${digestAlgorithm(digest).slice(0, 32)}-${digestEncoded(digest).slice(0, 64)}`;
}

/** RFC 8288: `Link: <URL>; rel="next"`. */
function nextPage(api: RepositoryApi, digest: Digest, answer: RegistryAnswer): URL | undefined {
  const link = answer.headers("link").join(", ");
  const target = /<([^<>]*)>\s*;[^<]*\brel="?next"?/i.exec(link)?.[1];
  if (target === undefined) return undefined;
  const base = api.url(`referrers/${digest}`);
  const url = api.follow(target, base);
  if (url.origin !== base.origin) {
    throw protocolFault(api.subject({ digest }), "its next page of referrers is not on this registry");
  }
  return url;
}
