import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { FileCache } from "@mote/fs";
import { afterEach, beforeEach } from "vitest";
import { type RegistryServer, type ServeOptions, serve } from "../src/index.js";

// Importing this registers the hooks for the tests of the importing file.
export let folder: string;
export let cache: FileCache;
let running: RegistryServer[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-push-"));
  cache = new FileCache(folder, { durability: "visible" });
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((server) => server.close()));
  rmSync(folder, { recursive: true });
});

/** Starts a server that takes pushes. */
export async function start(options: Partial<ServeOptions> = {}): Promise<RegistryServer> {
  const server = await serve({ source: cache, tags: cache.tags, push: cache, graceMs: 0, ...options });
  running.push(server);
  return server;
}

interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly text: string;
  /** The error codes, if there are any. */
  readonly codes: readonly string[];
}

export async function request(
  { url }: RegistryServer,
  method: string,
  path: string,
  { body, headers = {} }: { readonly body?: Uint8Array; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  const init = { method, headers, ...(body === undefined ? {} : { body: Buffer.from(body) }) };
  const response = await fetch(new URL(path, url), init);
  const text = await response.text();
  const codes = text.startsWith('{"errors"') ? JSON.parse(text).errors.map(({ code }: { code: string }) => code) : [];
  return { status: response.status, headers: response.headers, text, codes };
}

export const bytesOf = (text: string) => new TextEncoder().encode(text);

export async function pushBlob(server: RegistryServer, repository: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestBytes(bytes);
  await request(server, "POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: bytes });
  return { mediaType: mediaTypes.ociLayer, digest, size: bytes.byteLength };
}

export function imageOf(config: Descriptor, layers: readonly Descriptor[]) {
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const bytes = bytesOf(JSON.stringify(body));
  return { bytes, digest: digestBytes(bytes) };
}

/** Pushes an image with one layer. */
export async function pushImage(server: RegistryServer, repository: string, tag: string, layer = "a layer") {
  const config = await pushBlob(server, repository, bytesOf("{}"));
  const blob = await pushBlob(server, repository, bytesOf(layer));
  const image = imageOf({ ...config, mediaType: mediaTypes.ociConfig }, [blob]);
  const { status } = await request(server, "PUT", `/v2/${repository}/manifests/${tag}`, { body: image.bytes });
  return { ...image, layer: blob.digest, status };
}
