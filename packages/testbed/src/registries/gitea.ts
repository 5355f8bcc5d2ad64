import type { RegistryKind } from "../simulator/behaviour.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

const tokenPath = "/v2/token";
const sourceCode =
  "https://github.com/go-gitea/gitea/blob/00dbfe2bd95e5d6d7c6e2a5147e16ad037187dda/routers/api/packages/container/container.go";

export const gitea: RegistryKind = {
  name: "Gitea",
  login: { username: "user", password: "secret" },
  behaviours: [
    {
      name: "There are two challenges in separate headers: Bearer with only a realm, and `Basic` without parameters",
      source: sourceCode,
      handle({ listener, url }, next, { origins }) {
        const reply = next();
        if (listener !== "registry" || url.pathname === tokenPath || reply.status !== 401) return reply;
        return withHeaders(reply, { "www-authenticate": [`Bearer realm="${origins.registry}${tokenPath}"`, "Basic"] });
      },
    },
    {
      name: "The token service accepts only `GET`: `POST` is 404",
      source: "https://github.com/go-gitea/gitea/issues/29118",
      handle({ url, method }, next) {
        return url.pathname === tokenPath && method === "POST" ? errorReply(404, "UNSUPPORTED") : next();
      },
    },
    tokenFlow({
      name: "Tokens are issued without `expires_in`",
      source: sourceCode,
      listener: "registry",
      path: tokenPath,
      body: (token) => ({ token }),
    }),
    {
      name: "Blobs are sent completely, and `Range` is ignored",
      source: sourceCode,
      handle({ route, method }, next, { repositories }) {
        if (route.kind !== "blob" || method !== "GET") return next();
        const bytes = repositories.get(route.repository).blobs.get(route.digest);
        const headers = { "docker-content-digest": route.digest, etag: `"${route.digest}"` };
        return bytes === undefined ? next() : { status: 200, headers, body: bytes };
      },
    },
    {
      name: "Every chunk except the first needs `Content-Range`: 416",
      source: sourceCode,
      handle({ route, method, headers }, next, { repositories }) {
        const upload = route.kind === "upload" && method === "PATCH" ? repositories.uploads.get(route.id) : undefined;
        const isStream = headers["content-range"] === undefined && (upload?.bytes.byteLength ?? 0) > 0;
        return isStream
          ? errorReply(416, "BLOB_UPLOAD_INVALID", "Stream uploads after first write are not allowed")
          : next();
      },
    },
  ],
  lacks: { "immutable tag": "tags can be moved" },
};
