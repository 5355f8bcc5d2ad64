import { requiresAccept } from "../simulator/accepted-types.js";
import type { RegistryKind } from "../simulator/behaviour.js";
import { expireUrls, redirectBlobs } from "../simulator/redirects.js";
import { noReferrersApi } from "../simulator/referrer-support.js";
import { errorReply } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

const mostChunkBytes = 4 * 1024 * 1024;

export const ghcr: RegistryKind = {
  name: "GitHub (GHCR)",
  login: { username: "user", password: "ghp_secret" },
  behaviours: [
    {
      name: "Requests for private and missing packages are rejected by the token service, not by the registry",
      source: "https://github.com/openai/tunnel-client/issues/75",
      handle({ url, headers }, next) {
        const isStranger = url.pathname === "/token" && headers.authorization === undefined;
        const isPrivate = url.searchParams.getAll("scope").some((scope) => scope.includes("private/"));
        return isStranger && isPrivate
          ? errorReply(403, "DENIED", "requested access to the resource is denied")
          : next();
      },
    },
    tokenFlow({
      name: "Its own `/token` issues anonymous tokens without `expires_in`",
      source: "https://github.com/Mic92/niks3/issues/229",
      listener: "registry",
      path: "/token",
      service: "ghcr.io",
      anonymous: "pull",
      body: (token) => ({ token }),
    }),
    requiresAccept({
      name: "An index is 404 `MANIFEST_UNKNOWN` if `Accept` does not name its type",
      source: "https://github.com/Mic92/niks3/issues/229",
      type: "image.index",
      reply: errorReply(404, "MANIFEST_UNKNOWN", "OCI index found, but Accept header does not support OCI indexes"),
    }),
    {
      name: "A chunk of more than 4 MiB with `Content-Range` is 416; a single PUT may be larger",
      source: "https://github.com/ocx-sh/ocx/pull/237",
      handle({ method, route, headers, body }, next) {
        const isPiece = method === "PATCH" && route.kind === "upload" && headers["content-range"] !== undefined;
        if (!isPiece || body.byteLength <= mostChunkBytes) return next();
        const message = "The size of the request body exceeds the maximum permissible limit of 4.00MiB";
        return errorReply(416, "REQUESTED_RANGE_NOT_SATISFIABLE", message);
      },
    },
    expireUrls({
      name: "A signed URL expires: resuming there is 403, and resuming at the registry works",
      source: "https://github.com/containerd/stargz-snapshotter/pull/167",
    }),
    redirectBlobs({
      name: "GET and HEAD of blobs are redirected to a URL that is signed for GET, where HEAD is 403",
      source: "https://github.com/containerd/stargz-snapshotter/pull/167",
      head: "redirected",
    }),
    noReferrersApi({
      name: "There is no referrers API: 404 with a body that is not JSON",
      source: "https://github.com/rtvkiz/minimal/issues/7",
      reply: { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found\n" },
    }),
  ],
  rateLimit: {
    name: "Too many requests: 429 with the time to retry in its message, in microseconds, and not in a header",
    source: "https://github.com/dependabot/cli/issues/380",
    reply: errorReply(429, "TOOMANYREQUESTS", "retry-after: 880.092µs, allowed: 44000/minute"),
  },
  lacks: { "immutable tag": "tags can be moved" },
};
