import type { RegistryKind } from "../simulator/behaviour.js";
import { immutableTags } from "../simulator/immutable-tags.js";
import { redirectsBlobs } from "../simulator/redirects.js";
import { noReferrersApi } from "../simulator/referrer-support.js";
import { errorReply } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

export const gar: RegistryKind = {
  name: "Google Artifact Registry",
  login: { username: "oauth2accesstoken", password: "ya29.secret" },
  behaviours: [
    tokenFlow({
      name: "Its own `/v2/token` takes an access token as the password of `oauth2accesstoken`",
      source: "https://cloud.google.com/artifact-registry/docs/docker/authentication",
      listener: "registry",
      path: "/v2/token",
      service: "europe-docker.pkg.dev",
    }),
    {
      name: "Blobs are taken whole only: a piece with `Content-Range` is refused",
      source: "https://cloud.google.com/artifact-registry/docs/reference/docker-api",
      handle({ method, route, headers }, next) {
        const isPiece = method === "PATCH" && route.kind === "upload" && headers["content-range"] !== undefined;
        return isPiece ? errorReply(400, "UNSUPPORTED", "chunked uploads are not supported") : next();
      },
    },
    {
      name: "A blob of no bytes is 400",
      source: "https://github.com/oras-project/oras-go/issues/294",
      handle({ method, route, body }, next, { repositories }) {
        const isClosing = method === "PUT" && route.kind === "upload" && body.byteLength === 0;
        const has = isClosing ? repositories.uploads.get(route.id)?.bytes.byteLength : undefined;
        return has === 0 ? errorReply(400, "BLOB_UPLOAD_INVALID") : next();
      },
    },
    redirectsBlobs({
      name: "Blobs are redirected by 302 to paths of their own",
      source: "https://cloud.google.com/artifact-registry/docs/reference/docker-api",
      status: 302,
    }),
    noReferrersApi({
      name: "No referrers API (2024)",
      source: "https://github.com/actions/attest-build-provenance/issues/80",
    }),
    immutableTags({
      name: "With immutable tags a referrers tag cannot be moved either, so there is one referrer for each image",
      source: "https://github.com/actions/attest-build-provenance/issues/80",
      same: "accepted",
      reply: errorReply(
        400,
        "MANIFEST_INVALID",
        "The tag already exists and the repository has immutable tags enabled",
      ),
    }),
  ],
  lacks: {},
};
