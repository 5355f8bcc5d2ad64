import type { RegistryKind } from "../simulator/behaviour.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { beginUpload } from "../simulator/uploads.js";

export const craneServe: RegistryKind = {
  name: "`crane registry serve`",
  behaviours: [
    {
      name: "The response to a chunk is 204 instead of 202",
      source: "https://github.com/google/go-containerregistry/issues/2198",
      handle({ method, route }, next) {
        const reply = next();
        const isPiece = method === "PATCH" && route.kind === "upload" && reply.status === 202;
        return isPiece ? { ...reply, status: 204 } : reply;
      },
    },
    {
      name: "A range without an end is 416 `We don't understand your Range`",
      source: "https://github.com/google/go-containerregistry/blob/main/pkg/registry/blobs.go",
      handle({ method, route, headers }, next) {
        const isOpen = method === "GET" && route.kind === "blob" && headers.range?.endsWith("-");
        return isOpen ? errorReply(416, "BLOB_UNKNOWN", "We don't understand your Range") : next();
      },
    },
    {
      name: "GET and DELETE of an upload are 400 `METHOD_UNKNOWN`",
      source: "https://github.com/google/go-containerregistry/blob/main/pkg/registry/blobs.go",
      handle({ method, route }, next) {
        const isOther = route.kind === "upload" && (method === "GET" || method === "DELETE");
        return isOther ? errorReply(400, "METHOD_UNKNOWN", "We don't understand your method + url") : next();
      },
    },
    {
      name: "The 201 for a stored blob or manifest has no `Location`",
      source: "https://github.com/google/go-containerregistry/blob/main/pkg/registry/manifest.go",
      handle(_request, next) {
        const reply = next();
        return reply.status === 201 ? withHeaders(reply, { location: undefined }) : reply;
      },
    },
    {
      name: "Blobs do not belong to a repository: each blob exists in all repositories",
      source: "https://github.com/google/go-containerregistry/blob/main/pkg/registry/blobs.go",
      handle({ route }, next, { repositories }) {
        const bytes = route.kind === "blob" ? repositories.blob(route.digest) : undefined;
        if (route.kind === "blob" && bytes !== undefined) repositories.addBlob(route.repository, bytes, route.digest);
        return next();
      },
    },
    {
      name: "A mount starts an upload: 202",
      source: "https://github.com/google/go-containerregistry/blob/main/pkg/registry/blobs.go",
      handle({ method, route, url }, next, { repositories }) {
        const isMount = method === "POST" && route.kind === "uploads" && url.searchParams.has("mount");
        return isMount ? beginUpload(repositories, route.repository) : next();
      },
    },
  ],
  lacks: {
    "log in": "it allows anonymous access",
    private: "it allows anonymous access",
    "immutable tag": "tags can be moved",
  },
};
