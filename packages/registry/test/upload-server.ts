import { digestBytes } from "@mote/core";
import { type Intercept, refuse } from "./fake-registry.js";
import { serve, type TestServer } from "./server.js";

export interface UploadServer extends TestServer {
  readonly blobs: Map<string, Uint8Array>;
  /** Open upload sessions by path, with the bytes received. */
  readonly sessions: Map<string, Uint8Array>;
}

/** Starts the upload half of a registry, in memory. `intercept` can change responses. */
export async function serveUploads(
  intercept: (server: UploadServer) => Intercept = () => () => false,
): Promise<UploadServer> {
  const blobs = new Map<string, Uint8Array>();
  const sessions = new Map<string, Uint8Array>();
  let opened = 0;
  const server = await serve(async (request, response) => {
    if (await lie(request, response)) return;
    const url = new URL(request.url ?? "", "http://registry");
    const session = sessions.get(url.pathname);
    const state = (bytes: Uint8Array) => ({
      location: `${url.pathname}?state=${bytes.byteLength}`,
      range: `0-${Math.max(0, bytes.byteLength - 1)}`,
    });
    if (request.method === "POST") {
      const path = `/v2/a/b/blobs/uploads/${++opened}`;
      sessions.set(path, new Uint8Array());
      response.writeHead(202, { location: `${path}?state=0` }).end();
    } else if (request.method === "HEAD") {
      const bytes = blobs.get(url.pathname.split("/").at(-1) ?? "");
      response.writeHead(bytes === undefined ? 404 : 200, { "content-length": bytes?.byteLength ?? 0 }).end();
    } else if (session === undefined) {
      refuse(response, 404, "BLOB_UPLOAD_UNKNOWN");
    } else if (request.method === "GET") {
      response.writeHead(204, state(session)).end();
    } else if (request.method === "DELETE") {
      sessions.delete(url.pathname);
      response.writeHead(204).end();
    } else {
      const start = Number(/^(\d+)-/.exec(request.headers["content-range"] ?? "")?.[1] ?? session.byteLength);
      if (start !== session.byteLength) return response.writeHead(416, state(session)).end();
      const parts = [session];
      for await (const chunk of request) parts.push(chunk);
      const bytes = new Uint8Array(Buffer.concat(parts));
      sessions.set(url.pathname, bytes);
      if (request.method === "PATCH") return response.writeHead(202, state(bytes)).end();
      if (url.searchParams.get("digest") !== digestBytes(bytes)) return refuse(response, 400, "DIGEST_INVALID");
      sessions.delete(url.pathname);
      blobs.set(digestBytes(bytes), bytes);
      response.writeHead(201).end();
    }
    return undefined;
  });
  const whole: UploadServer = {
    ...server,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    blobs,
    sessions,
  };
  const lie = intercept(whole);
  return whole;
}
