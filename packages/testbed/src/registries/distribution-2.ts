import { randomUUID } from "node:crypto";
import { requiresAccept } from "../simulator/accepted-types.js";
import type { RegistryKind } from "../simulator/behaviour.js";
import { noReferrersApi } from "../simulator/referrer-support.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { basicFlow } from "../simulator/tokens.js";

/** The same in version 3. */
export const ociTypeNeeded = requiresAccept({
  name: "An OCI manifest is 404 if `Accept` does not name its type",
  source: "https://github.com/distribution/distribution/issues/3938",
  type: "vnd.oci.",
  reply: errorReply(404, "MANIFEST_UNKNOWN", "OCI manifest found, but accept header does not support OCI manifests"),
});

/** The same in version 3. */
export const plainNotFound = noReferrersApi({
  name: "There is no referrers API: 404 with a body that is not JSON",
  source: "https://github.com/oras-project/rust-oci-client/pull/259",
  reply: { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found\n" },
});

export const distribution2: RegistryKind = {
  name: "Distribution 2",
  login: { username: "user", password: "secret" },
  behaviours: [
    basicFlow({
      name: "With `htpasswd`, each request is challenged with Basic",
      source: "https://distribution.github.io/distribution/about/configuration/#htpasswd",
      realm: "Registry Realm",
    }),
    {
      name: "The URL of an upload is absolute, with a `_state` that changes with each chunk and must be sent back",
      source: "https://github.com/distribution/distribution/blob/main/registry/handlers/hmac.go",
      handle({ route, url }, next, { origins, notes }) {
        const isStale = route.kind === "upload" && notes.get(route.id) !== url.searchParams.get("_state");
        if (isStale) return errorReply(400, "BLOB_UPLOAD_INVALID", "blob upload invalid");
        const reply = next();
        const location = String(reply.headers?.location ?? "");
        const [, id] = /\/blobs\/uploads\/(.+)$/.exec(location) ?? [];
        if (id === undefined) return reply;
        const state = randomUUID();
        notes.set(id, state);
        return withHeaders(reply, { location: `${origins.registry}${location}?_state=${state}` });
      },
    },
    {
      name: "An empty upload has `Range: 0-0`, like an upload of one byte",
      source: "https://github.com/distribution/distribution/pull/475",
      handle({ method, route }, next) {
        const reply = next();
        const isBegun = method === "POST" && route.kind === "uploads" && reply.status === 202;
        return isBegun ? withHeaders(reply, { range: "0-0" }) : reply;
      },
    },
    ociTypeNeeded,
    plainNotFound,
    {
      name: "DELETE is 405 `UNSUPPORTED` unless it is enabled",
      source: "https://distribution.github.io/distribution/about/configuration/#delete",
      handle({ method, route }, next) {
        return method === "DELETE" && route.kind === "manifest" ? errorReply(405, "UNSUPPORTED") : next();
      },
    },
  ],
  lacks: { "immutable tag": "tags can be moved" },
};
