import type { RegistryKind, Reply } from "../simulator/behaviour.js";
import { redirectBlobs } from "../simulator/redirects.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

const sourceCode = "https://github.com/quay/quay/blob/01863755b5564b313d17f506e25201ff976dbdb2/endpoints/v2/blob.py";
const schema1Type = "application/vnd.docker.distribution.manifest.v1+prettyjws";

export const quay: RegistryKind = {
  name: "Quay",
  login: { username: "user+robot", password: "secret" },
  behaviours: [
    tokenFlow({
      name: "Tokens come from the registry itself; pulling needs no login",
      source: "https://github.com/podman-container-tools/skopeo/issues/927",
      listener: "registry",
      path: "/v2/auth",
      service: "quay.io",
      anonymous: "pull",
    }),
    {
      name: "A manifest whose type `Accept` does not name is converted to schema 1, with an unknown digest",
      source: "https://github.com/eclipse-che/che-plugin-registry/pull/2082",
      handle({ route, method, headers }, next) {
        const reply = next();
        const type = reply.headers?.["content-type"];
        const isRead = route.kind === "manifest" && (method === "GET" || method === "HEAD") && reply.status === 200;
        if (!isRead || headers.accept?.includes(String(type))) return reply;
        const converted = { "content-type": schema1Type, "docker-content-digest": `sha256:${"1".repeat(64)}` };
        return { ...withHeaders(reply, converted), body: '{"schemaVersion":1}' };
      },
    },
    redirectBlobs({ name: "GET of a blob is redirected (302), and HEAD is not", source: sourceCode, status: 302 }),
    {
      name: "`Location` of an upload is an absolute URL; a new upload has `Range: bytes=0--1`",
      source: sourceCode,
      handle({ route, method }, next, { origins }) {
        const reply = next();
        const location = reply.headers?.location;
        if ((route.kind !== "uploads" && route.kind !== "upload") || typeof location !== "string") return reply;
        const begins = method === "POST" && reply.status === 202 ? { range: "bytes=0--1" } : {};
        return withHeaders(reply, { location: `${origins.registry}${location}`, ...begins });
      },
    },
    {
      name: "The progress of an upload is one byte too high, without `Location`",
      source: sourceCode,
      handle({ route, method }, next, { repositories }) {
        const reply = next();
        const upload = route.kind === "upload" && method === "GET" ? repositories.uploads.get(route.id) : undefined;
        if (upload === undefined) return reply;
        return withHeaders(reply, { range: `bytes=0-${upload.bytes.byteLength}`, location: undefined });
      },
    },
    {
      name: "The response to a manifest is `OK` as plain text, without `OCI-Subject`",
      source: "https://github.com/opencontainers/distribution-spec/pull/563",
      handle({ route, method }, next) {
        const reply = next();
        return route.kind === "manifest" && method === "PUT" && reply.status === 201 ? stored(reply) : reply;
      },
    },
    {
      name: "Referrers of an unknown digest are 404 `MANIFEST_UNKNOWN`",
      source: "https://github.com/quay/quay/blob/260efcf7acde75d3a860188fa9206f37d72cc4eb/endpoints/v2/referrers.py",
      handle({ route }, next, { repositories }) {
        if (route.kind !== "referrers") return next();
        const isThere = repositories.get(route.repository).manifests.has(route.digest);
        return isThere ? next() : errorReply(404, "MANIFEST_UNKNOWN");
      },
    },
  ],
  lacks: { "immutable tag": "tags can be moved" },
};

function stored(reply: Reply): Reply {
  return {
    ...withHeaders(reply, { "oci-subject": undefined, "content-type": "text/html; charset=utf-8" }),
    body: "OK",
  };
}
