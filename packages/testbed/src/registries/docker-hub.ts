import type { RegistryKind } from "../simulator/behaviour.js";
import { immutableTags } from "../simulator/immutable-tags.js";
import { redirectBlobs } from "../simulator/redirects.js";
import { noReferrersApi } from "../simulator/referrer-support.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

export const dockerHub: RegistryKind = {
  name: "Docker Hub",
  login: { username: "user", password: "dckr_pat_secret" },
  behaviours: [
    tokenFlow({
      name: "Tokens come from another host, also without a login, as both `token` and `access_token`",
      source: "https://distribution.github.io/distribution/spec/auth/token/",
      path: "/token",
      service: "registry.docker.io",
      anonymous: "pull",
      body: (token) => ({ token, access_token: token, expires_in: 300, issued_at: "2026-01-01T00:00:00.000000000Z" }),
    }),
    {
      name: "`RateLimit-Limit` and `RateLimit-Remaining` are sent with each manifest, as `100;w=21600`",
      source: "https://docs.docker.com/docker-hub/usage/pulls/",
      handle({ route }, next) {
        if (route.kind !== "manifest") return next();
        return withHeaders(next(), { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "99;w=21600" });
      },
    },
    redirectBlobs({
      name: "GET and HEAD of blobs are redirected to a URL that is signed for GET, where HEAD is 403",
      source: "https://github.com/containerd/stargz-snapshotter/pull/167",
      head: "redirected",
    }),
    noReferrersApi({
      name: "`OCI-Subject` is sent although there is no referrers API (2024)",
      source: "https://github.com/docker/hub-feedback/issues/2372",
      sendsSubject: true,
    }),
    {
      name: "A manifest is rejected if its subject does not exist yet (2024)",
      source: "https://github.com/docker/hub-feedback/issues/2372",
      handle({ method, route, body }, next, { repositories }) {
        const [, subject] = /"subject":\{[^}]*"digest":"([^"]+)"/.exec(new TextDecoder().decode(body)) ?? [];
        if (method !== "PUT" || route.kind !== "manifest" || subject === undefined) return next();
        const isThere = repositories.manifest(route.repository, subject) !== undefined;
        return isThere ? next() : errorReply(404, "MANIFEST_UNKNOWN", "manifest unknown");
      },
    },
    immutableTags({
      name: "A push to an immutable tag is 403, even of the same manifest",
      source: "https://github.com/docker/hub-feedback/issues/2466",
      reply: errorReply(403, "DENIED", "requested access to the resource is denied: tag is immutable"),
    }),
    {
      name: "DELETE is not supported: 405 `UNSUPPORTED`",
      source: "https://github.com/docker/hub-feedback/issues/2360",
      handle({ method, route }, next) {
        return method === "DELETE" && route.kind === "manifest" ? errorReply(405, "UNSUPPORTED") : next();
      },
    },
  ],
  rateLimit: {
    name: "Too many requests: 429 with `Too Many Requests (HAP429).` as plain text, without `Retry-After`",
    source: "https://github.com/docker/hub-feedback/issues/1907",
    reply: { status: 429, headers: { "content-type": "text/plain" }, body: "Too Many Requests (HAP429).\n" },
  },
  lacks: {},
};
