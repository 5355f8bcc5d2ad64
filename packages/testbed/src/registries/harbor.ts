import type { RegistryKind } from "../simulator/behaviour.js";
import { digestsOf, subjectOf } from "../simulator/distribution-api.js";
import { immutableTags } from "../simulator/immutable-tags.js";
import { errorReply, jsonReply, withHeaders } from "../simulator/replies.js";
import { type Repositories, readJson, type StoredManifest } from "../simulator/repositories.js";
import { tokenFlow } from "../simulator/tokens.js";

export const harbor: RegistryKind = {
  name: "Harbor",
  login: { username: "robot$user", password: "secret" },
  behaviours: [
    {
      name: "It sets cookies, and treats a client that returns them as a browser: 403 without a CSRF token",
      source: "https://github.com/dotnet/sdk/pull/37221",
      handle({ headers, method }, next) {
        const isRead = method === "GET" || method === "HEAD";
        if (headers.cookie !== undefined && !isRead)
          return errorReply(403, "FORBIDDEN", "CSRF token not found in request");
        return withHeaders(next(), { "set-cookie": ["sid=1; Path=/; HttpOnly", "_gorilla_csrf=2; Path=/"] });
      },
    },
    tokenFlow({
      name: "Tokens come from the registry itself",
      source: "https://github.com/goharbor/harbor/issues/714",
      listener: "registry",
      path: "/service/token",
      service: "harbor-registry",
    }),
    {
      name: "A mount from a project that this user may not read is rejected",
      source: "https://github.com/oras-project/oras/pull/1924",
      handle({ url }, next) {
        return url.searchParams.has("mount")
          ? errorReply(401, "UNAUTHORIZED", "unauthorized to access repository")
          : next();
      },
    },
    {
      name: "A token without sufficient scope is challenged with Basic",
      source: "https://github.com/goharbor/harbor/issues/18856",
      handle(_request, next) {
        const reply = next();
        return reply.status === 401 ? withHeaders(reply, { "www-authenticate": 'Basic realm="harbor"' }) : reply;
      },
    },
    immutableTags({
      name: "A push to an immutable tag is 412, even of the same manifest",
      source: "https://github.com/goharbor/harbor/pull/9427",
      reply: errorReply(412, "PRECONDITION", "Failed to process request due to '1' configured as immutable."),
    }),
    {
      name: "The size of a referrer includes its config and layers, and its artifact type is that of its config",
      source: "https://github.com/goharbor/harbor/issues/20187",
      handle({ route }, next, { repositories }) {
        if (route.kind !== "referrers") return next();
        const { manifests } = repositories.get(route.repository);
        // Harbor's response for an unknown digest.
        if (!manifests.has(route.digest)) return jsonReply(200, {}, indexLabel);
        const referring = [...manifests.values()].filter(({ bytes }) => subjectOf(bytes) === route.digest);
        const listed = referring.map((one) => describe(repositories, route.repository, one));
        return jsonReply(
          200,
          { schemaVersion: 2, mediaType: indexLabel["content-type"], manifests: listed },
          indexLabel,
        );
      },
    },
  ],
  lacks: {},
};

const indexLabel = { "content-type": "application/vnd.oci.image.index.v1+json" };

function describe(repositories: Repositories, repository: string, { digest, mediaType, bytes }: StoredManifest) {
  const { config, layers } = readJson(bytes);
  const { blobs } = repositories.get(repository);
  const content = digestsOf([config, ...(Array.isArray(layers) ? layers : [])]).map((digest) => blobs.get(digest));
  const size = content.reduce((total, blob) => total + (blob?.byteLength ?? 0), bytes.byteLength);
  const artifactType = typeof config === "object" && config !== null && "mediaType" in config ? config.mediaType : "";
  return { mediaType, digest, size, artifactType };
}
