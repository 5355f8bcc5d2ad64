import { parseDigest } from "@mote/core";
import { addImage, registryKinds, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type ObservedResponse, RegistryCache, RegistryClient, RegistryRepository } from "../src/index.js";
import { read } from "./outcome.js";

const dockerHub = registryKinds.find(({ name }) => name === "Docker Hub");

let registry: SimulatedRegistry;
let client: RegistryClient;
let responses: ObservedResponse[];
let bytes: number;
const traffic = {
  onResponse: (response: ObservedResponse) => void responses.push(response),
  onReceived: (count: number) => {
    bytes += count;
  },
};

beforeEach(async () => {
  if (dockerHub === undefined) throw new Error("Docker Hub is no longer simulated");
  registry = await startSimulatedRegistry(dockerHub);
  client = new RegistryClient({ retryDelayMs: 1 });
  responses = [];
  bytes = 0;
});
afterEach(async () => {
  await client.close();
  await registry[Symbol.asyncDispose]();
});

it("the observed responses and bytes are those of the registry's own log, without token services and storage", async () => {
  const { manifest, layers } = addImage(registry.repositories, "a/b", { tag: "1", layers: [300_000] });
  const location = { registry: registry.host, repository: "a/b" };
  const repository = new RegistryRepository(client, location, { traffic });
  const digest = parseDigest(layers[0]?.digest ?? "");
  registry.once((reply, { route }) => (route.kind === "blob" ? { ...reply, status: 503 } : undefined));
  await repository.manifest(await repository.resolve("1"));
  await read(await repository.blob({ mediaType: "application/octet-stream", digest, size: 300_000 }));
  await read(await new RegistryCache(client, location, { traffic }).moteReader(digest, { start: 5, end: 15 }));
  await expect(repository.resolve("absent")).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
  const logged = registry.requests.filter(({ listener }) => listener === "registry").map(({ status }) => status);
  expect(responses.map(({ status }) => status).sort()).toEqual(logged.sort());
  expect(new Set(logged)).toEqual(new Set([200, 307, 401, 404, 503]));
  expect(bytes).toBe(manifest.size + 300_000 + 10);
  expect(responses.some((response) => response.header("ratelimit-remaining") === "99;w=21600")).toBe(true);
});

it("a request without a response is observed without a status", async () => {
  const location = { registry: registry.host, repository: "a/b" };
  await registry[Symbol.asyncDispose]();
  const once = new RegistryClient({ retries: 0 });
  const repository = new RegistryRepository(once, location, { traffic });
  await expect(repository.resolve("1")).rejects.toMatchObject({ code: "MOTE_UNREACHABLE" });
  expect(responses.every(({ status }) => status === undefined)).toBe(true);
  expect(responses.length).toBeGreaterThan(0);
  await once.close();
  registry = await startSimulatedRegistry(registry.kind);
});
