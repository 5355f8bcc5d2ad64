import { type Descriptor, digestBytes, type Logger, mediaTypes, silentLogger } from "@mote/core";
import { afterEach } from "vitest";
import { RegistryClient } from "../src/client.js";
import { RegistryRepository } from "../src/pull/repository.js";
import { RegistryDestination } from "../src/push/destination.js";
import { makeImage } from "./image.js";
import { type Handler, serve, type TestServer } from "./server.js";

export const text = (value: string) => new TextEncoder().encode(value);
export const image = makeImage(10);
export const subject = image.manifest;
export const tag = subject.digest.replace(":", "-");
export const indexType = { "content-type": mediaTypes.ociIndex };
const opened: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
});

export function entry(name: string, more: object = {}): Descriptor {
  return { mediaType: mediaTypes.ociManifest, digest: digestBytes(text(name)), size: name.length, ...more };
}

export const index = (...manifests: object[]) =>
  JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });

export interface Opened {
  readonly server: TestServer;
  readonly repository: RegistryRepository;
  readonly destination: RegistryDestination;
  readonly warnings: string[];
}

export async function open(answer: Handler): Promise<Opened> {
  const server = await serve(answer);
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (message) => warnings.push(message) };
  const client = new RegistryClient({ logger, retries: 0, retryDelayMs: 1 });
  opened.push(client, server);
  const place = { registry: server.host, repository: "a/b" };
  return {
    server,
    repository: new RegistryRepository(client, place),
    destination: new RegistryDestination(client, place),
    warnings,
  };
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of items) found.push(one);
  return found;
}

export const isApi = (url: string | undefined) => url?.includes("/referrers/") ?? false;
