import type { Behaviour, RegistryKind } from "../simulator/behaviour.js";
import { errorReply, jsonReply, withHeaders } from "../simulator/replies.js";
import { readJson } from "../simulator/repositories.js";
import { basicFlow } from "../simulator/tokens.js";

/** The same in ECR. */
export const unsizedManifests: Behaviour = {
  name: "Manifests are sent without `Content-Length`",
  source: "https://github.com/oras-project/oras-go/issues/333",
  handle({ method, route }, next) {
    const isRead = method === "GET" && route.kind === "manifest";
    return isRead ? withHeaders(next(), { "content-length": undefined }) : next();
  },
};

export const zot: RegistryKind = {
  name: "zot",
  login: { username: "user", password: "secret" },
  behaviours: [
    basicFlow({
      name: "With anonymous reads, `/v2/` needs no login, and only restricted repositories are challenged",
      source: "https://github.com/project-zot/zot/issues/3538",
      realm: "zot",
      anonymous: "pull",
    }),
    unsizedManifests,
    {
      name: "A manifest with Docker's media type is 415, unless `compat` allows it",
      source: "https://github.com/project-zot/zot/issues/724",
      handle({ method, route, headers }, next) {
        const isPut = method === "PUT" && route.kind === "manifest";
        return isPut && headers["content-type"]?.includes("docker") ? errorReply(415, "MANIFEST_INVALID") : next();
      },
    },
    {
      name: "A referrer that has a tag is listed twice",
      source: "https://github.com/project-zot/zot/issues/2506",
      handle({ route }, next) {
        const reply = next();
        if (route.kind !== "referrers" || reply.status !== 200) return reply;
        const { manifests, ...index } = readJson(Buffer.from(reply.body ?? ""));
        const all = Array.isArray(manifests) ? manifests : [];
        return jsonReply(200, { ...index, manifests: [...all, ...all] }, reply.headers);
      },
    },
  ],
  lacks: { "immutable tag": "tags can be moved" },
};
