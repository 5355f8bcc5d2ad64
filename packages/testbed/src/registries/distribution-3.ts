import type { RegistryKind } from "../simulator/behaviour.js";
import { redirectBlobs } from "../simulator/redirects.js";
import { tokenFlow } from "../simulator/tokens.js";
import { ociTypeNeeded, plainNotFound } from "./distribution-2.js";

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
    ociTypeNeeded,
    plainNotFound,
  ],
  lacks: { "immutable tag": "tags can be moved" },
};
