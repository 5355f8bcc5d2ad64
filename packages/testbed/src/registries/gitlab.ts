import { randomUUID } from "node:crypto";
import type { RegistryKind } from "../simulator/behaviour.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

const tokenPath = "/jwt/auth";
/** Requests for which a token is valid: the five minutes of a slow upload, in the time that a test has. */
const tokenUses = 16;

export const gitlab: RegistryKind = {
  name: "GitLab",
  login: { username: "user", password: "glpat-secret" },
  behaviours: [
    {
      name: "Tokens expire during a long push: 401 `invalid_token`",
      source: "https://github.com/moby/moby/issues/33558",
      handle({ listener, headers }, next, { notes, origins }) {
        const { authorization = "" } = headers;
        if (listener !== "registry" || !authorization.startsWith("Bearer ")) return next();
        const uses = Number(notes.get(authorization) ?? 0) + 1;
        notes.set(authorization, uses);
        if (uses <= tokenUses) return next();
        const challenge = `Bearer realm="${origins.tokens}${tokenPath}",service="container_registry",error="invalid_token"`;
        return withHeaders(errorReply(401, "UNAUTHORIZED"), { "www-authenticate": challenge });
      },
    },
    tokenFlow({
      name: "Of several scopes, the token service grants the last",
      source: "https://github.com/estesp/manifest-tool/issues/53",
      path: tokenPath,
      service: "container_registry",
      body: (token) => ({ token: forLastScope(token), expires_in: 300 }),
    }),
    {
      name: "There is no referrers API, and the referrers tag of a digest stands for that very manifest",
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

/** A token that no other is equal to, for the last of the scopes that were asked for. */
function forLastScope(token: string): string {
  const scopes: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
  const granted = Array.isArray(scopes) ? scopes.slice(-1) : [];
  return Buffer.from(JSON.stringify([...granted, `serial:${randomUUID()}:none`])).toString("base64url");
}
