import { MoteError } from "@mote/core";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { RegistryClient } from "../src/client.js";
import { RegistryRepository } from "../src/pull/repository.js";
import { RegistryDestination } from "../src/push/destination.js";
import { cutAfter, type Intercept, refuse, sendRange, serveImage } from "./fake-registry.js";
import { makeImage } from "./image.js";
import { read, sameBytes } from "./outcome.js";
import { serve } from "./server.js";
import { serveUploads } from "./upload-server.js";

const image = makeImage(200_000);
const [layer = image.config] = image.layers;
const bytes = image.blobs.get(layer.digest) ?? new Uint8Array();

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Faults of a network or a server. */
const honest = fc.oneof(
  fc.record({ kind: fc.constant("status" as const), status: fc.constantFrom(403, 404, 408, 416, 429, 500, 502, 503) }),
  fc.record({ kind: fc.constantFrom("hang up" as const, "fine" as const) }),
);

const fault = fc.oneof(
  honest,
  fc.record({ kind: fc.constant("cut" as const), after: fc.integer({ min: 0, max: bytes.byteLength }) }),
  fc.record({ kind: fc.constant("flip" as const), at: fc.integer({ min: 0, max: bytes.byteLength - 1 }) }),
  fc.record({ kind: fc.constantFrom("no range" as const, "redirect" as const) }),
);

type Fault = typeof fault extends fc.Arbitrary<infer T> ? T : never;

/** Injects one fault after the other, and none after the last. */
function injecting(faults: readonly Fault[], storage: string): Intercept {
  let next = 0;
  return (request, response) => {
    const one = faults[next++];
    if (one === undefined || one.kind === "fine") return false;
    if (one.kind === "hang up") request.socket.destroy();
    else if (one.kind === "status") refuse(response, one.status, "UNKNOWN", { "retry-after": "0" });
    else if (one.kind === "redirect") response.writeHead(307, { location: `http://${storage}/` }).end();
    else if (one.kind === "cut") cutAfter(response, bytes, one.after);
    else if (one.kind === "no range") response.writeHead(200, { "content-length": bytes.byteLength }).end(bytes);
    else if (one.kind === "flip") {
      const wrong = bytes.slice();
      wrong[one.at] = (wrong[one.at] ?? 0) ^ 1;
      sendRange(request, response, wrong);
    }
    return true;
  };
}

describe("with random network faults", () => {
  it("a blob is read completely and correctly, or fails with a code", async () => {
    const storage = await serve((request, response) => sendRange(request, response, bytes));
    opened.push(storage);
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 8 }), async (faults) => {
        await using server = await serveImage(image, injecting(faults, storage.host));
        await using client = new RegistryClient({ retryDelayMs: 1, retries: 2 });
        const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
        try {
          expect(sameBytes(await read(await repository.blob(layer)), bytes)).toBe(true);
        } catch (error) {
          if (!MoteError.isInstance(error)) throw error;
        }
      }),
      { numRuns: 150 },
    );
  });

  it("a blob is stored completely and correctly, or fails with a code and leaves no upload", async () => {
    async function* chunks() {
      for (let at = 0; at < bytes.byteLength; at += 30_000) yield bytes.subarray(at, at + 30_000);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(honest, { maxLength: 8 }),
        fc.constantFrom(40_000, bytes.byteLength),
        async (faults, chunkBytes) => {
          await using server = await serveUploads(() => injecting(faults, "127.0.0.1:9"));
          await using client = new RegistryClient({ retryDelayMs: 1, retries: 2 });
          const place = { registry: server.host, repository: "a/b" };
          try {
            await new RegistryDestination(client, place, { chunkBytes }).blob(layer, chunks());
          } catch (error) {
            if (!MoteError.isInstance(error)) throw error;
            expect([...server.blobs.values()].every((stored) => sameBytes(stored, bytes))).toBe(true);
            return;
          }
          expect(sameBytes(bytes, server.blobs.get(layer.digest))).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("many concurrent requests with one signal cause no warning", async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on("warning", listen);
    const server = await serveImage(image);
    const client = new RegistryClient();
    opened.push(server, client);
    const repository = new RegistryRepository(client, { registry: server.host, repository: "a/b" });
    const { signal } = new AbortController();
    const reads = Array.from({ length: 50 }, async () => read(await repository.blob(layer, { signal })));
    for (const one of await Promise.all(reads)) expect(sameBytes(one, bytes)).toBe(true);
    await new Promise(setImmediate);
    process.off("warning", listen);
    expect(warnings).toEqual([]);
  });
});
