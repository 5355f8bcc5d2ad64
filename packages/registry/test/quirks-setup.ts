import { randomBytes } from "node:crypto";
import { type Descriptor, digestBytes, MoteError, mediaTypes } from "@mote/core";
import { afterEach } from "vitest";
import { RegistryClient } from "../src/client.js";
import { RegistryDestination } from "../src/push/destination.js";
import type { Intercept } from "./fake-registry.js";
import { sameBytes } from "./outcome.js";
import { serveUploads, type UploadServer } from "./upload-server.js";

export const bytes = new Uint8Array(randomBytes(100_000));
export const describeBytes = (content: Uint8Array): Descriptor => ({
  mediaType: mediaTypes.octetStream,
  digest: digestBytes(content),
  size: content.byteLength,
});
export const inPieces = { chunkBytes: 30_000 };

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

export async function open(chunkBytes: number, intercept?: (server: UploadServer) => Intercept) {
  const server = await serveUploads(intercept);
  const client = new RegistryClient({ retryDelayMs: 1, retries: 4 });
  opened.push(server, client);
  return { server, to: new RegistryDestination(client, { registry: server.host, repository: "a/b" }, { chunkBytes }) };
}

/** Sends a blob as a transfer does, again if the error is retryable, at most three times. Returns the number of attempts. */
export async function send(to: RegistryDestination, content = bytes): Promise<number> {
  for (let times = 1; ; times++) {
    try {
      await to.blob(describeBytes(content), chunked(content));
      return times;
    } catch (error) {
      if (times === 3 || !MoteError.isInstance(error)) throw error;
      const { mayResend }: { mayResend?: boolean } = error.details ?? {};
      if (error.code !== "MOTE_UPLOAD_LOST" && mayResend !== true) throw error;
    }
  }
}

async function* chunked(content: Uint8Array) {
  for (let at = 0; at < content.byteLength; at += 70_000) yield content.subarray(at, at + 70_000);
}

export const arrived = (server: UploadServer, content = bytes) =>
  sameBytes(content, server.blobs.get(describeBytes(content).digest));
export const methods = (server: UploadServer) => server.seen.map(({ method }) => method).join(" ");

export async function bodyOf(request: Parameters<Intercept>[0]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}
