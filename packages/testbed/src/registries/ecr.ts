import type { RegistryKind } from "../simulator/behaviour.js";
import { immutableTags } from "../simulator/immutable-tags.js";
import { redirectBlobs } from "../simulator/redirects.js";
import { noReferrersApi } from "../simulator/referrer-support.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { basicFlow } from "../simulator/tokens.js";
import { beginUpload } from "../simulator/uploads.js";
import { unsizedManifests } from "./zot.js";

export const ecr: RegistryKind = {
  name: "Amazon ECR",
  login: { username: "AWS", password: "eyJwYXlsb2FkIjoi" },
  behaviours: [
    basicFlow({
      name: "The user `AWS` has a token valid for 12 hours as its password, which is sent with each request",
      source: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html",
      realm: "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/",
    }),
    redirectBlobs({
      name: "Blobs are redirected to S3, which rejects a request with both a signed URL and credentials",
      source: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html",
    }),
    {
      name: "`Range` of an upload stays at the end of the first chunk, although all chunks are stored",
      source: "https://github.com/aws/containers-roadmap/issues/2831",
      handle({ method, route }, next, { notes }) {
        const reply = next();
        if (method !== "PATCH" || route.kind !== "upload" || reply.status !== 202) return reply;
        const first = notes.get(route.id) ?? reply.headers?.range;
        notes.set(route.id, first);
        return withHeaders(reply, { range: String(first) });
      },
    },
    {
      name: "The response to a chunk is 201 instead of 202",
      source: "https://github.com/openai/tart/issues/273",
      handle({ method, route }, next) {
        const reply = next();
        return method === "PATCH" && route.kind === "upload" && reply.status === 202
          ? { ...reply, status: 201 }
          : reply;
      },
    },
    {
      name: "GET of an upload is 404: its progress is not available",
      source: "https://github.com/dotnet/sdk/pull/33019",
      handle({ method, route }, next) {
        return method === "GET" && route.kind === "upload" ? errorReply(404, "BLOB_UPLOAD_UNKNOWN") : next();
      },
    },
    {
      name: "A blob is mounted only if a manifest of the other repository refers to it; otherwise the response is 202",
      source: "https://github.com/aws/containers-roadmap/issues/2860",
      handle({ method, route, url }, next, { repositories }) {
        const [digest, from] = [url.searchParams.get("mount"), url.searchParams.get("from")];
        if (method !== "POST" || route.kind !== "uploads" || !digest || !from) return next();
        const manifests = [...repositories.get(from).manifests.values()];
        const isReferred = manifests.some(({ bytes }) => Buffer.from(bytes).includes(digest));
        return isReferred ? next() : beginUpload(repositories, route.repository);
      },
    },
    {
      name: "An empty blob is 400, because the upload has no parts",
      source: "https://github.com/radius-project/radius/pull/7887",
      handle({ method, route, body }, next, { repositories }) {
        if (method !== "PUT" || route.kind !== "upload") return next();
        const has = body.byteLength + (repositories.uploads.get(route.id)?.bytes.byteLength ?? 0);
        const message = "The upload cannot be completed because it does not have any parts";
        return has === 0 ? errorReply(400, "BLOB_UPLOAD_INVALID", message) : next();
      },
    },
    unsizedManifests,
    noReferrersApi({
      name: "`OCI-Subject` is sent although there is no referrers API (2024)",
      source: "https://github.com/sigstore/sigstore-js/pull/1183",
      sendsSubject: true,
    }),
    immutableTags({
      name: "A push to an immutable tag is 400 `TAG_INVALID`, even of the same manifest",
      source: "https://github.com/moby/buildkit/issues/3776",
      reply: errorReply(
        400,
        "TAG_INVALID",
        "The image tag '1' already exists in the 'team/app' repository and cannot be overwritten because the repository is immutable.",
      ),
    }),
  ],
  rateLimit: {
    name: "Too many requests: 429 `TOOMANYREQUESTS` `Rate exceeded`, without `Retry-After`",
    source: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html",
    reply: errorReply(429, "TOOMANYREQUESTS", "Rate exceeded"),
  },
  lacks: {},
};
