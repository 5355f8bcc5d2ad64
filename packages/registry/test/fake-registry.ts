import type { IncomingMessage, ServerResponse } from "node:http";
import type { TestImage } from "./image.js";
import { serve, type TestServer } from "./server.js";

/** Responds instead of the registry if it returns true. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

/** Starts a registry with one image in every repository and with every tag except `absent`. `intercept` can change responses. */
export function serveImage(image: TestImage, intercept: Intercept = () => false): Promise<TestServer> {
  return serve(async (request, response) => {
    if (await intercept(request, response)) return;
    const [, kind = "", name = ""] = /\/(manifests|blobs)\/([^/?]+)/.exec(request.url ?? "") ?? [];
    const digest = kind === "manifests" && !name.includes(":") && name !== "absent" ? image.manifest.digest : name;
    const bytes = image.blobs.get(digest);
    if (bytes === undefined) return refuse(response, 404, kind === "manifests" ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN");
    const type = kind === "manifests" ? image.manifest.mediaType : "application/octet-stream";
    const headers = { "content-type": type, "docker-content-digest": digest, etag: `"${digest}"` };
    sendRange(request, response, bytes, headers);
  });
}

/** Sends the bytes, or the requested range. */
export function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  headers: Record<string, string> = {},
): void {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const start = Number(from ?? 0);
  if (from !== undefined && start >= bytes.byteLength) {
    response.writeHead(416, { "content-range": `bytes */${bytes.byteLength}`, "content-length": 0 }).end();
    return;
  }
  const end = to ? Math.min(Number(to) + 1, bytes.byteLength) : bytes.byteLength;
  const range = from === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${bytes.byteLength}` };
  response.writeHead(from === undefined ? 200 : 206, { ...headers, ...range, "content-length": end - start });
  response.end(request.method === "HEAD" ? undefined : bytes.subarray(start, end));
}

/** distribution-spec, "Error Codes". */
export function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}) {
  const body = JSON.stringify({ errors: [{ code, message: `said by the test: ${code}` }] });
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length, ...headers });
  response.end(body);
}

/** Sends the Content-Length of all bytes, some of them, and closes the connection. */
export function cutAfter(response: ServerResponse, bytes: Uint8Array, sent: number): void {
  response.writeHead(200, { "content-length": bytes.byteLength, etag: '"one"' });
  response.write(bytes.subarray(0, sent), () => response.socket?.destroy());
}
