import { randomBytes } from "node:crypto";
import { type ContentEvent, type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { afterEach } from "vitest";
import { RegistryClient, type RegistryClientOptions } from "../src/client.js";
import { RegistryDestination } from "../src/push/destination.js";
import type { Intercept } from "./fake-registry.js";
import { serveUploads, type UploadServer } from "./upload-server.js";

export const bytes = new Uint8Array(randomBytes(100_000));
export const blob: Descriptor = {
  mediaType: mediaTypes.octetStream,
  digest: digestBytes(bytes),
  size: bytes.byteLength,
};
export const whole = { chunkBytes: blob.size };
export const inPieces = { chunkBytes: 30_000 };

export const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

export async function start(
  options: RegistryClientOptions & { chunkBytes: number },
  intercept?: (server: UploadServer) => Intercept,
) {
  const events: ContentEvent[] = [];
  const server = await serveUploads(intercept);
  const client = new RegistryClient({ retryDelayMs: 1, onEvent: (event) => events.push(event), ...options });
  opened.push(server, client);
  const place = { registry: server.host, repository: "a/b" };
  return { server, events, destination: new RegistryDestination(client, place, options) };
}

// The source's chunks have another size than the upload's.
export async function* chunked(content: Uint8Array, failure?: Error): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += 7000) yield content.subarray(at, at + 7000);
  if (failure !== undefined) throw failure;
}

/** Responds to the next `times` requests with this method by `act`. */
export function on(method: string, times: number, act: (...sent: Parameters<Intercept>) => unknown): () => Intercept {
  let left = times;
  return () => async (request, response) => {
    if (request.method !== method || left-- <= 0) return false;
    await act(request, response);
    return true;
  };
}
