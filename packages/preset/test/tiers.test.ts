import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBlobInfoCache } from "@mote/bic-memory";
import { MemoryCache, NilCache, parseDigest } from "@mote/core";
import { addImage, freePort, needs, registryKinds, startRedisServer, startSimulatedRegistry } from "@mote/testbed";
import { afterAll, describe, expect, it } from "vitest";
import { examineMote, type Finding, openMote } from "../src/index.js";

const root = mkdtempSync(join(tmpdir(), "mote-tiers-"));
afterAll(() => rmSync(root, { recursive: true }));
const newFolder = () => mkdtempSync(join(root, "dir-"));

describe("openMote with a tier", () => {
  it("writes what it stores to the tier, and fills the caches of other machines from it", async () => {
    const tier = newFolder();
    await using first = await openMote({ dir: newFolder(), tier });
    const { digest } = await first.addStream(chunks("content"));
    await first.close();
    await using second = await openMote({ dir: newFolder(), tier });
    expect(await second.cache.find(digest)).toMatchObject({ size: 7 });
    expect(await second.cache.fill?.(digest)).toBe(true);
    expect(await second.cache.fill?.(digest)).toBe(false);
  });

  it("is ready to serve although its tier does not respond", async () => {
    const tier = new MemoryCache();
    tier.find = () => new Promise(() => {});
    await using mote = await openMote({ dir: newFolder(), tier });
    await using server = await mote.serve({ port: await freePort() });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });

  it("does not fill a cache that is only inspected, and works without a cache", async () => {
    const tier = newFolder();
    await using writer = await openMote({ dir: newFolder(), tier });
    const { digest } = await writer.addStream(chunks("content"));
    await writer.close();
    await using inspecting = await openMote({ dir: newFolder(), tier, readOnly: true });
    expect(await inspecting.cache.moteExists(digest)).toBe(false);
    await using without = await openMote({ cache: new NilCache(), tier });
    expect(await without.cache.moteExists(digest)).toBe(true);
  });

  it("rejects what is not a tier with MOTE_CONFIG", async () => {
    for (const tier of ["ftp://host/x", "s3://", "oci:dir", ""]) {
      await expect(openMote({ dir: newFolder(), tier })).rejects.toMatchObject({ code: "MOTE_CONFIG" });
    }
    await expect(openMote({ dir: newFolder(), bic: "http://host" })).rejects.toMatchObject({ code: "MOTE_CONFIG" });
  });

  it("is examined by examineMote", async () => {
    const findings: Finding[] = [];
    for await (const each of examineMote({ dir: newFolder(), tier: newFolder(), bic: "redis://127.0.0.1:1" })) {
      findings.push(each);
    }
    const stateOf = (topic: string) => findings.filter((each) => each.topic === topic).map(({ state }) => state);
    expect(stateOf("tier")).toEqual(["ok"]);
    expect(stateOf("tier writes")).toEqual(["ok"]);
    expect(stateOf("blob info")).toEqual(["fail"]);
  });
});

describe("openMote with a tier and a blob-info cache as objects", () => {
  it("shares them between machines, fetches nothing twice, and leaves them open", async () => {
    const [kind] = registryKinds;
    if (kind === undefined) throw new Error("there are no registries");
    await using registry = await startSimulatedRegistry(kind);
    const { manifest } = addImage(registry.repositories, "team/app", { tag: "1" });
    await using tier = new MemoryCache();
    await using bic = new MemoryBlobInfoCache();
    const name = `${registry.host}/team/app:1`;
    const first = await openMote({ dir: newFolder(), tier, bic });
    await first.pull(name);
    await first.close();
    registry.requests.length = 0;
    const second = await openMote({ dir: newFolder(), tier, bic });
    const report = await second.pull(name);
    expect([report.fetched.count, report.manifests.fetched]).toEqual([0, 0]);
    expect(report.tier.count).toBeGreaterThan(0);
    const content = ["manifest", "blob", "stored"];
    expect(registry.requests.filter(({ method, route }) => method === "GET" && content.includes(route.kind))).toEqual(
      [],
    );
    expect(await second.locate(parseDigest(manifest.digest))).toEqual([expect.stringContaining("team/app")]);
    await second.close();
    expect(await tier.moteExists(parseDigest(manifest.digest))).toBe(true);
    expect((await bic.statistics?.())?.locations).toBeGreaterThan(0);
  });
});

const skip = needs("redis-server");
describe.skipIf(skip)(`openMote with a Redis${skip}`, () => {
  it("knows on one machine where another has seen a blob", async () => {
    await using server = await startRedisServer();
    const [kind] = registryKinds;
    if (kind === undefined) throw new Error("there are no registries");
    await using registry = await startSimulatedRegistry(kind);
    const { manifest } = addImage(registry.repositories, "team/app", { tag: "1" });
    await using first = await openMote({ dir: newFolder(), bic: server.url });
    const report = await first.pull(`${registry.host}/team/app:1`);
    expect(report.fetched.count + report.inlined.count).toBeGreaterThan(0);
    await first.close();
    await using second = await openMote({ dir: newFolder(), bic: server.url });
    expect(await second.locate(parseDigest(manifest.digest))).toEqual([expect.stringContaining("team/app")]);
  });

  it("is examined: whether it responds, can be written to, and loses records", async () => {
    await using server = await startRedisServer({ settings: { maxmemory: "64mb", "maxmemory-policy": "allkeys-lru" } });
    const states: Record<string, string> = {};
    for await (const { topic, state } of examineMote({ dir: newFolder(), bic: server.url })) states[topic] = state;
    expect(states).toMatchObject({ "blob info": "ok", "blob info memory": "warn" });
  });
});

async function* chunks(text: string) {
  yield new TextEncoder().encode(text);
}
