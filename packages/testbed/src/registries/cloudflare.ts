import { randomUUID } from "node:crypto";
import type { Behaviour, RegistryKind } from "../simulator/behaviour.js";
import { noReferrersApi } from "../simulator/referrer-support.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { basicFlow } from "../simulator/tokens.js";

const minChunkBytes = 5 * 1024 * 1024;
const maxChunkBytes = 100_000_000;
const sourceCode =
  "https://github.com/cloudflare/serverless-registry/blob/02e5e0eab7a97765240e24602137ea44e3985dfb/src" as const;

export const cloudflare: RegistryKind = {
  name: "Cloudflare serverless-registry",
  login: { username: "user", password: "secret" },
  behaviours: [
    basicFlow({
      name: "Each request is challenged with Basic, whose realm is a URL",
      source:
        "https://github.com/cloudflare/serverless-registry/blob/13522df51215c8f87b5afb2c1be1e0c2887b1844/src/errors.ts",
      realm: "https://registry.example/v2/",
    }),
    {
      name: "Chunks have a minimum and a maximum length (`OCI-Chunk-Min-Length`, `OCI-Chunk-Max-Length`), and all except the last must have the same length",
      source: `${sourceCode}/registry/r2.ts`,
      handle: takeChunks,
    },
    {
      name: "A body over the limit is 413 with an HTML page",
      source: "https://github.com/cloudflare/serverless-registry/issues/67",
      handle({ body }, next) {
        if (body.byteLength <= maxChunkBytes) return next();
        return {
          status: 413,
          headers: { "content-type": "text/html" },
          body: "<html><h1>413 Request Entity Too Large</h1></html>",
        };
      },
    },
    {
      name: "Blobs are sent completely, and `Range` is ignored",
      source: `${sourceCode}/router.ts`,
      handle({ route, method }, next, { repositories }) {
        const bytes =
          route.kind === "blob" && method === "GET"
            ? repositories.get(route.repository).blobs.get(route.digest)
            : undefined;
        return bytes === undefined ? next() : { status: 200, body: bytes };
      },
    },
    {
      name: "A mounted blob is a link, and `HEAD` returns the length of the link",
      source: `${sourceCode}/registry/r2.ts`,
      handle({ route, method, url }, next, { notes }) {
        const reply = next();
        const [mounted, from] = [url.searchParams.get("mount"), url.searchParams.get("from")];
        if (route.kind === "uploads" && mounted !== null && reply.status === 201) {
          notes.set(`${route.repository}@${mounted}`, `${from}/blobs/${mounted}`.length);
        }
        const length =
          route.kind === "blob" && method === "HEAD" ? notes.get(`${route.repository}@${route.digest}`) : undefined;
        return length === undefined ? reply : withHeaders(reply, { "content-length": String(length) });
      },
    },
    noReferrersApi({
      name: "There is no referrers API: 404 `Not Found.` as plain text",
      source:
        "https://github.com/cloudflare/serverless-registry/blob/1c983be933eac001ba8e45dbf7a908b7db866b5f/index.ts",
      reply: { status: 404, headers: { "content-type": "text/plain;charset=UTF-8" }, body: "Not Found." },
    }),
  ],
  lacks: { "immutable tag": "tags can be moved" },
};

// The state of an upload is in its URL, so only the last URL is valid.
function takeChunks(...[{ route, method, url, body }, next, { notes }]: Parameters<Behaviour["handle"]>) {
  if (route.kind !== "uploads" && route.kind !== "upload") return next();
  if (route.kind === "upload" && (method === "PATCH" || method === "PUT")) {
    const expected = notes.get(`state of ${route.id}`);
    if (url.searchParams.get("_stateHash") !== expected) return errorReply(416, "RANGE_ERROR");
  }
  if (route.kind === "upload" && method === "PATCH") {
    const chunks = notes.get(`chunks of ${route.id}`);
    const sizes = Array.isArray(chunks) ? chunks : [];
    const [first] = sizes;
    // The previous chunk was not the last one, so it must have the size of the first.
    if (sizes.some((size) => size !== first) || body.byteLength > (first ?? body.byteLength) || first < minChunkBytes)
      return errorReply(416, "RANGE_ERROR");
    notes.set(`chunks of ${route.id}`, [...sizes, body.byteLength]);
  }
  const reply = next();
  const location = reply.headers?.location;
  const id = reply.headers?.["docker-upload-uuid"];
  if (typeof location !== "string" || typeof id !== "string") return reply;
  const state = randomUUID();
  notes.set(`state of ${id}`, state);
  return withHeaders(reply, {
    location: `${location}?_stateHash=${state}`,
    "oci-chunk-min-length": String(minChunkBytes),
    "oci-chunk-max-length": String(maxChunkBytes),
  });
}
