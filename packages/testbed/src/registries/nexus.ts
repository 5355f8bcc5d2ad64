import type { RegistryKind, SimulatedState } from "../simulator/behaviour.js";
import { errorReply, jsonReply } from "../simulator/replies.js";
import { sha256 } from "../simulator/repositories.js";
import { tokenFlow } from "../simulator/tokens.js";

export const nexus: RegistryKind = {
  name: "Nexus",
  login: { username: "user", password: "secret" },
  behaviours: [
    tokenFlow({
      name: "Tokens come from the registry itself (Docker Bearer Token Realm)",
      source: "https://github.com/sonatype/nexus-public/issues/435",
      listener: "registry",
      path: "/v2/token",
      service: "nexus",
    }),
    {
      name: "A mount is 401",
      source: "https://github.com/sonatype/nexus-public/issues/967",
      handle({ url }, next) {
        return url.searchParams.has("mount") ? errorReply(401, "UNAUTHORIZED", "authentication required") : next();
      },
    },
    {
      name: "`HEAD` of a manifest is 404 although `GET` has it",
      source: "https://github.com/andrey-pohilko/registry-cli/issues/43",
      handle({ route, method }, next) {
        return route.kind === "manifest" && method === "HEAD" ? errorReply(404, "MANIFEST_UNKNOWN") : next();
      },
    },
    {
      name: "A blob that another client commits concurrently is 400 `BLOB_UPLOAD_INVALID`, although it is stored",
      source: "https://github.com/sonatype/nexus-public/issues/967",
      handle({ route, method, url }, next, state) {
        const reply = next();
        const isCommit = route.kind === "upload" && method === "PUT" && reply.status === 201;
        if (!isCommit || !isFirst(state, "another client's commit")) return reply;
        return invalid(`docker-hosted/v2/-/blobs/${url.searchParams.get("digest")} cannot be updated`);
      },
    },
    {
      name: "An index is rejected once, right after its images were pushed: 404 `BLOB_UNKNOWN`",
      source: "https://github.com/estesp/manifest-tool/issues/191",
      handle({ route, method, headers }, next, state) {
        const isIndex = route.kind === "manifest" && method === "PUT" && headers["content-type"]?.includes("index");
        if (!isIndex || !isFirst(state, "an index")) return next();
        return errorReply(404, "BLOB_UNKNOWN", "blob unknown to registry");
      },
    },
    {
      name: "Without redeployment, a manifest can be stored only once: storing it again under a tag is 400",
      source: "https://github.com/GoogleContainerTools/jib/issues/2395",
      handle({ route, method, body }, next, { repositories }) {
        if (route.kind !== "manifest" || method !== "PUT") return next();
        const { manifests, tags } = repositories.get(route.repository);
        return manifests.has(sha256(body)) || tags.has(route.reference)
          ? invalid("Repository does not allow updating assets: docker-hosted")
          : next();
      },
    },
  ],
  lacks: { referrers: "a subject is stored under its digest first, and then cannot be stored under its tag" },
};

function invalid(detail: string) {
  return jsonReply(400, { errors: [{ code: "BLOB_UPLOAD_INVALID", message: "blob upload invalid", detail }] });
}

/** Returns whether this is the first call with `what`. */
function isFirst({ notes }: SimulatedState, what: string): boolean {
  const was = notes.has(what);
  notes.set(what, true);
  return !was;
}
