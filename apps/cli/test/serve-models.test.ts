import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SimulatedRegistry } from "@mote/testbed";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startModelRegistry } from "./model-registry.js";
import { pullLikeOllama } from "./ollama-client.js";
import { endServing, startServe } from "./start-serve.js";

let upstream: SimulatedRegistry;
let dir: string;
beforeAll(async () => {
  upstream = await startModelRegistry();
  dir = await mkdtemp(join(tmpdir(), "mote-serve-models-"));
});
afterAll(async () => {
  await endServing();
  await upstream?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

it("mote serve is a registry for ollama pull: cold, warm, and when Ollama's registry is down", async () => {
  const { url } = await startServe(dir, ["--upstream", `registry.ollama.ai=${upstream.origins.registry}`]);
  const cold = await pullLikeOllama(url, "library/tiny", "1b");
  expect(Buffer.from(cold.manifest)).toEqual(
    Buffer.from(upstream.repositories.manifest("library/tiny", "1b")?.bytes ?? []),
  );
  expect(cold.blobs.size).toBe(6);
  expect(cold.parts.length).toBeGreaterThan(16);
  for (const { status, range, contentRange } of cold.parts) {
    expect(status).toBe(206);
    expect(contentRange).toContain(`bytes ${range.slice("bytes=".length)}/`);
  }
  // A complete read ends when the blob is stored.
  for (const digest of cold.blobs.keys()) await (await fetch(`${url}/v2/library/tiny/blobs/${digest}`)).arrayBuffer();
  const before = upstream.requests.length;
  await pullLikeOllama(url, "library/tiny", "1b");
  expect(upstream.requests.length).toBe(before);
  await upstream[Symbol.asyncDispose]();
  expect((await pullLikeOllama(url, "library/tiny", "1b")).blobs.size).toBe(6);
});
