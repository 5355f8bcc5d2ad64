import type { RegistryKind } from "../simulator/behaviour.js";
import { redirectBlobs } from "../simulator/redirects.js";
import { errorReply, withHeaders } from "../simulator/replies.js";

/** Ollama's registry. It is not in `registryKinds`, as what it takes is not documented: only pulls are simulated. */
export const ollamaRegistry: RegistryKind = {
  name: "Ollama (registry.ollama.ai)",
  behaviours: [
    {
      name: "`/v2/`, lists of tags and the catalog are 404",
      source: "https://github.com/ollama/ollama/issues/5021",
      handle: ({ url }, next) =>
        /^\/v2\/(?:_catalog|.*\/tags\/list)?$/.test(url.pathname)
          ? { status: 404, body: "404 page not found" }
          : next(),
    },
    {
      name: "HEAD of a manifest is 405, and GET has no `Content-Length`",
      source: "https://github.com/oras-project/oras-go/issues/882",
      handle({ method, route }, next) {
        if (route.kind !== "manifest") return next();
        if (method === "HEAD") return errorReply(405, "UNSUPPORTED");
        return withHeaders(next(), { "content-length": undefined, "docker-content-digest": undefined });
      },
    },
    redirectBlobs({
      name: "Blobs are redirected to a storage service",
      source: "https://github.com/ollama/ollama/issues/11428",
    }),
  ],
  lacks: {},
};
