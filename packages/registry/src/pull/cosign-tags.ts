import {
  type CallOptions,
  cosignTags,
  type Descriptor,
  type Digest,
  digestBytes,
  isManifestType,
  manifestTypes,
  maxManifestBytes,
  type Tag,
} from "@mote/core";
import { collectDocument } from "../http/content-coding.js";
import { namingSubject } from "../reports/subject.js";
import { bareType, describedIn, type RepositoryApi } from "../repository-api.js";
import { absentStatuses, warnOfForbidden } from "./referrers-index.js";

/** Lists cosign's artifacts for the manifest, by the tags of its digest. */
export async function* listCosignTags(
  api: RepositoryApi,
  subject: Digest,
  options: CallOptions,
): AsyncGenerator<Tag, void, undefined> {
  for (const name of cosignTags(subject)) {
    const descriptor = await findTag(api, name, options);
    if (descriptor !== undefined && descriptor.digest !== subject) yield { name, descriptor };
  }
}

/** Resolves one of cosign's tags by HEAD. Returns undefined if it does not exist, or is not a manifest. */
export async function findTag(api: RepositoryApi, tag: string, options: CallOptions): Promise<Descriptor | undefined> {
  const request = { what: `tag ${tag}`, reference: tag, headers: { accept: manifestTypes.join(", ") }, ...options };
  const accepts = (status: number) => status === 200 || absentStatuses.has(status);
  const head = await api.head(`manifests/${tag}`, { ...request, accepts });
  if (head.status === 404 || head.status === 410) return undefined;
  if (head.status === 403) {
    warnOfForbidden(api, `the tag ${tag}`);
    return undefined;
  }
  const described = describedIn(head);
  if (described !== undefined) return described;
  return api.send({ method: "GET", path: `manifests/${tag}`, ...request, accepts }, async (response) => {
    const type = bareType(response.header("content-type"));
    if (response.status !== 200 || type === undefined || !isManifestType(type)) {
      response.discard();
      return undefined;
    }
    const bound = { maxBytes: maxManifestBytes, what: request.what, digests: [] };
    const bytes = await namingSubject(api.subject(), collectDocument(response, bound));
    return { mediaType: type, digest: digestBytes(bytes), size: bytes.byteLength };
  });
}
