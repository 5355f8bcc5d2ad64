import type { RegistryKind } from "../simulator/behaviour.js";
import { withHeaders } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

const tokenPath = "/jwt/auth";

export const gitlab: RegistryKind = {
  name: "GitLab",
  login: { username: "user", password: "glpat-secret" },
  behaviours: [
    {
      name: "Tokens expire during a long push: 401 `invalid_token`",
      source: "https://github.com/moby/moby/issues/33558",
      handle({ listener, headers }, next) {
        const reply = next();
        const challenge = String(reply.headers?.["www-authenticate"] ?? "");
        if (listener !== "registry" || reply.status !== 401 || headers.authorization === undefined) return reply;
        return withHeaders(reply, { "www-authenticate": `${challenge},error="invalid_token"` });
      },
    },
    tokenFlow({
      name: "The token service grants only the last of several scopes",
      source: "https://github.com/estesp/manifest-tool/issues/53",
      path: tokenPath,
      service: "container_registry",
      grants: (asked) => asked.slice(-1),
    }),
    {
      name: "There is no referrers API, and the referrers tag of a digest resolves to that manifest itself",
      source: "https://github.com/oras-project/oras-go/issues/1396",
      handle({ route, method }, next, { repositories }) {
        if (route.kind === "referrers")
          return { status: 404, headers: { "content-type": "text/plain" }, body: "404\n" };
        const reply = next();
        if (route.kind !== "manifest") return reply;
        if (method === "PUT") return withHeaders(reply, { "oci-subject": undefined });
        const named = repositories.manifest(
          route.repository,
          route.reference.replace(/^sha256-(?=[0-9a-f]{64}$)/, "sha256:"),
        );
        if (reply.status !== 404 || named === undefined) return reply;
        const headers = { "content-type": named.mediaType, "docker-content-digest": named.digest };
        return { status: 200, headers, body: named.bytes };
      },
    },
  ],
  lacks: { "immutable tag": "tags can be moved" },
};
