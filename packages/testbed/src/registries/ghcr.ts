import { wantsAccept } from "../simulator/accepted-types.js";
import type { RegistryKind } from "../simulator/behaviour.js";
import { expiresUrls, redirectsBlobs } from "../simulator/redirects.js";
import { noReferrersApi } from "../simulator/referrer-support.js";
import { errorReply } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

const mostPieceBytes = 4 * 1024 * 1024;

export const ghcr: RegistryKind = {
  name: "GitHub (GHCR)",
  login: { username: "user", password: "ghp_secret" },
  behaviours: [
    {
      name: "A package that is private or missing is refused by the token service, not by the registry",
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
      name: "Its own `/token` issues tokens without a login, which do not say how long they are valid",
      source: "https://github.com/Mic92/niks3/issues/229",
      listener: "registry",
      path: "/token",
      service: "ghcr.io",
      anonymous: "pull",
      body: (token) => ({ token }),
    }),
    wantsAccept({
      name: "An index is 404 `MANIFEST_UNKNOWN` if `Accept` does not name its type",
      source: "https://github.com/Mic92/niks3/issues/229",
      type: "image.index",
      reply: errorReply(404, "MANIFEST_UNKNOWN", "OCI index found, but Accept header does not support OCI indexes"),
    }),
    {
      name: "A piece of more than 4 MiB with `Content-Range` is 416; one PUT may be larger",
      source: "https://github.com/ocx-sh/ocx/pull/237",
      handle({ method, route, headers, body }, next) {
        const isPiece = method === "PATCH" && route.kind === "upload" && headers["content-range"] !== undefined;
        if (!isPiece || body.byteLength <= mostPieceBytes) return next();
        const message = "The size of the request body exceeds the maximum permissible limit of 4.00MiB";
        return errorReply(416, "REQUESTED_RANGE_NOT_SATISFIABLE", message);
      },
    },
    expiresUrls({
      name: "A signed URL expires: 403 to whoever resumes there, and not at the registry",
      source: "https://github.com/containerd/stargz-snapshotter/pull/167",
    }),
    redirectsBlobs({
      name: "Blobs are redirected to a URL that is signed for GET, HEAD requests too, which are 403 there",
      source: "https://github.com/containerd/stargz-snapshotter/pull/167",
      head: "redirected",
    }),
    noReferrersApi({
      name: "No referrers API: 404 with a text that is not JSON",
      source: "https://github.com/rtvkiz/minimal/issues/7",
      reply: { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found\n" },
    }),
  ],
  rateLimit: {
    name: "Too many requests: 429 whose message says when to retry, in microseconds, and no header does",
    source: "https://github.com/dependabot/cli/issues/380",
    reply: errorReply(429, "TOOMANYREQUESTS", "retry-after: 880.092µs, allowed: 44000/minute"),
  },
  lacks: { "immutable tag": "tags can be moved" },
};
