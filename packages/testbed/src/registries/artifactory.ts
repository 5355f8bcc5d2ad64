import type { RegistryKind } from "../simulator/behaviour.js";
import { immutableTags } from "../simulator/immutable-tags.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

export const artifactory: RegistryKind = {
  name: "Artifactory",
  login: { username: "user", password: "secret" },
  behaviours: [
    {
      name: "The challenge has no scope",
      source: "https://github.com/containerd/containerd/issues/3556",
      handle(_request, next) {
        const reply = next();
        const challenge = reply.headers?.["www-authenticate"];
        if (typeof challenge !== "string") return reply;
        return withHeaders(reply, { "www-authenticate": challenge.replace(/,scope="[^"]*"/, "") });
      },
    },
    tokenFlow({
      name: "The token service is below the path of the repository's own API",
      source: "https://github.com/containerd/containerd/issues/3556",
      listener: "registry",
      path: "/artifactory/api/docker/docker-local/v2/token",
      service: "artifactory",
    }),
    {
      name: "`PUT` of a blob after `POST` is 404; `PATCH` and an empty `PUT` are accepted",
      source: "https://github.com/docker/buildx/issues/196",
      handle({ route, method, body }, next) {
        const isWhole = route.kind === "upload" && method === "PUT" && body.byteLength > 0;
        return isWhole ? errorReply(404, "BLOB_UNKNOWN", "blob unknown to registry") : next();
      },
    },
    {
      name: "`HEAD` of a blob finds manifests, and `GET` does not",
      source: "https://github.com/containerd/containerd/issues/7390",
      handle({ route, method }, next, { repositories }) {
        const manifest = route.kind === "blob" ? repositories.manifest(route.repository, route.digest) : undefined;
        if (manifest === undefined || method !== "HEAD") return next();
        return { status: 200, headers: { "content-type": "application/octet-stream" }, body: manifest.bytes };
      },
    },
    immutableTags({
      name: "Overwriting a tag without permission is 403 `MANIFEST_INVALID`",
      source: "https://github.com/GoogleContainerTools/kaniko/issues/1095",
      reply: errorReply(403, "MANIFEST_INVALID", "manifest invalid"),
    }),
  ],
  lacks: {},
};
