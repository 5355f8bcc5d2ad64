import { moteSourceSuite } from "@mote/conformance";
import { describe, expect, it } from "vitest";
import { RegistryClient } from "../src/client.js";
import { RegistryCache } from "../src/pull/registry-cache.js";
import { sendRange } from "./fake-registry.js";
import { serve, type TestServer } from "./server.js";

/** The content of each cache under test. */
const contents = new WeakMap<object, Map<string, Uint8Array>>();

class DisposableCache extends RegistryCache {
  readonly #opened: readonly AsyncDisposable[];

  constructor(server: TestServer, client: RegistryClient) {
    super(client, { registry: server.host, repository: "a/b" });
    this.#opened = [client, server];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#opened) await one[Symbol.asyncDispose]();
  }
}

moteSourceSuite(
  { describe, it, expect },
  async (content) => {
    const blobs = new Map(content.map(({ digest, bytes }) => [`/v2/a/b/blobs/${digest}`, bytes]));
    const server = await serve((request, response) => {
      const bytes = blobs.get(request.url ?? "");
      if (bytes === undefined) response.writeHead(404).end();
      else sendRange(request, response, bytes);
    });
    const cache = new DisposableCache(server, new RegistryClient());
    contents.set(cache, blobs);
    return cache;
  },
  {
    corrupt: async (source, digest) => {
      const blobs = contents.get(source);
      const bytes = blobs?.get(`/v2/a/b/blobs/${digest}`)?.slice() ?? new Uint8Array();
      bytes[bytes.byteLength >> 1] = (bytes[bytes.byteLength >> 1] ?? 0) ^ 1;
      blobs?.set(`/v2/a/b/blobs/${digest}`, bytes);
    },
  },
);
