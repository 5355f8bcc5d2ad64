import { requiresAccept } from "../simulator/accepted-types.js";
import type { RegistryKind } from "../simulator/behaviour.js";
import { redirectBlobs } from "../simulator/redirects.js";
import { noReferrersApi } from "../simulator/referrer-support.js";
import { errorReply } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

export const distribution3: RegistryKind = {
  name: "Distribution 3",
  login: { username: "user", password: "secret" },
  behaviours: [
    tokenFlow({
      name: "With `auth: token`, realm, service and issuer are those of its configuration",
      source: "https://distribution.github.io/distribution/about/configuration/#token",
      path: "/auth",
      service: "registry.example",
      anonymous: "pull",
    }),
    redirectBlobs({
      name: "On S3, HEAD of a blob is redirected to a URL that is signed for GET, where HEAD is 400 or 403",
      source: "https://github.com/distribution/distribution/issues/2055",
      head: "redirected",
    }),
    requiresAccept({
      name: "An OCI manifest is 404 if `Accept` does not name its type",
      source: "https://github.com/distribution/distribution/issues/3938",
      type: "vnd.oci.",
      reply: errorReply(
        404,
        "MANIFEST_UNKNOWN",
        "OCI manifest found, but accept header does not support OCI manifests",
      ),
    }),
    noReferrersApi({
      name: "There is no referrers API: 404 with a body that is not JSON",
      source: "https://github.com/oras-project/rust-oci-client/pull/259",
      reply: { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found\n" },
    }),
  ],
  lacks: { "immutable tag": "tags can be moved" },
};
