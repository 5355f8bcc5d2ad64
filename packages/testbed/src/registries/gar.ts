import type { RegistryKind } from "../simulator/behaviour.js";
import { immutableTags } from "../simulator/immutable-tags.js";
import { redirectBlobs } from "../simulator/redirects.js";
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
      name: "Only monolithic uploads are accepted: a chunk with `Content-Range` is rejected",
      source: "https://cloud.google.com/artifact-registry/docs/reference/docker-api",
      handle({ method, route, headers }, next) {
        const isPiece = method === "PATCH" && route.kind === "upload" && headers["content-range"] !== undefined;
        return isPiece ? errorReply(400, "UNSUPPORTED", "chunked uploads are not supported") : next();
      },
    },
    {
      name: "An empty blob is 400",
      source: "https://github.com/oras-project/oras-go/issues/294",
      handle({ method, route, body }, next, { repositories }) {
        const isClosing = method === "PUT" && route.kind === "upload" && body.byteLength === 0;
        const has = isClosing ? repositories.uploads.get(route.id)?.bytes.byteLength : undefined;
        return has === 0 ? errorReply(400, "BLOB_UPLOAD_INVALID") : next();
      },
    },
    redirectBlobs({
      name: "Blobs are redirected (302) to other paths of the registry",
      source: "https://cloud.google.com/artifact-registry/docs/reference/docker-api",
      status: 302,
    }),
    noReferrersApi({
      name: "There is no referrers API (2024)",
      source: "https://github.com/actions/attest-build-provenance/issues/80",
    }),
    immutableTags({
      name: "With immutable tags, referrers tags cannot be moved either, so an image can have only one referrer",
      source: "https://github.com/actions/attest-build-provenance/issues/80",
      ifSame: "accepted",
      reply: errorReply(
        400,
        "MANIFEST_INVALID",
        "The tag already exists and the repository has immutable tags enabled",
      ),
    }),
  ],
  lacks: {},
};
