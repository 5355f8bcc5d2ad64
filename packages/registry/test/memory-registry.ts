import { type Digest, digestBytes, isDigest } from "@mote/core";
import { type Intercept, refuse } from "./fake-registry.js";
import { serve, type TestServer } from "./server.js";

interface StoredManifest {
  readonly type: string | undefined;
  readonly bytes: Uint8Array;
}

/** A registry in memory with one repository, `a/b`. */
export interface MemoryRegistry extends TestServer {
  readonly blobs: Map<string, Uint8Array>;
  /** By tag and by digest. */
  readonly manifests: Map<string, StoredManifest>;
  /** `METHOD path` of all requests since the last call, without the host and `/v2/a/b/`. */
  requests(): readonly string[];
}

/** Starts the registry. `intercept` responds instead of it if it returns true, and otherwise must not read the body. */
export async function serveMemory(
  intercept: (registry: MemoryRegistry) => Intercept = () => () => false,
): Promise<MemoryRegistry> {
  const blobs = new Map<string, Uint8Array>();
  const manifests = new Map<string, StoredManifest>();
  const uploads = new Map<string, Uint8Array>();
  const server = await serve(async (request, response) => {
    if (await lie(request, response)) return;
    const url = new URL(request.url ?? "", "http://registry");
    const parts: Uint8Array[] = [];
    for await (const part of request) parts.push(part);
    const body = new Uint8Array(Buffer.concat(parts));
    const send = (status: number, headers: Record<string, string | number>, bytes?: Uint8Array) => {
      response.writeHead(status, { "content-length": bytes?.byteLength ?? 0, ...headers });
      response.end(request.method === "HEAD" ? undefined : bytes);
    };
    const [, kind = "", name = ""] = /\/(manifests|blobs|uploads)\/([^/]*)$/.exec(url.pathname) ?? [];
    if (kind === "manifests" && request.method === "PUT") {
      const stored = { type: request.headers["content-type"], bytes: body };
      for (const key of [name, digestBytes(body)]) manifests.set(key, stored);
      send(201, { "docker-content-digest": digestBytes(body) });
    } else if (kind === "manifests") {
      const found = manifests.get(name);
      if (found === undefined) return refuse(response, 404, "MANIFEST_UNKNOWN");
      send(200, { "content-type": found.type ?? "", "docker-content-digest": digestBytes(found.bytes) }, found.bytes);
    } else if (kind === "blobs") {
      const found = blobs.get(name);
      if (found === undefined) return refuse(response, 404, "BLOB_UNKNOWN");
      send(200, { "content-type": "application/octet-stream" }, found);
    } else if (kind === "uploads" && request.method === "POST") {
      const id = String(uploads.size + 1);
      uploads.set(id, new Uint8Array());
      send(202, { location: `/v2/a/b/blobs/uploads/${id}` });
    } else if (kind === "uploads") {
      const bytes = new Uint8Array(Buffer.concat([uploads.get(name) ?? new Uint8Array(), body]));
      uploads.set(name, bytes);
      const digest = url.searchParams.get("digest") as Digest | null;
      if (request.method !== "PUT") return send(202, { location: url.pathname, range: `0-${bytes.byteLength - 1}` });
      if (!isDigest(digest) || digestBytes(bytes) !== digest) return refuse(response, 400, "DIGEST_INVALID");
      blobs.set(digest, bytes);
      send(201, { location: `/v2/a/b/blobs/${digest}` });
    } else refuse(response, 404, "UNSUPPORTED");
    return undefined;
  });
  let told = 0;
  const registry: MemoryRegistry = {
    ...server,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    blobs,
    manifests,
    requests() {
      const news = server.seen.slice(told);
      told = server.seen.length;
      return news.map(({ method, url }) => `${method} ${url.replace("/v2/a/b/", "")}`);
    },
  };
  const lie = intercept(registry);
  return registry;
}
