import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  digestBytes,
  type FetchLeases,
  MemoryCache,
  MemoryFetchLeases,
  type Mote,
  MoteError,
  silentLogger,
} from "@mote/core";
import type { RegistryServer } from "@mote/server";
import { addImage, freePort, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OpenMoteOptions, openMote, type ServeMoteOptions } from "../src/index.js";

let root: string;
let upstream: SimulatedRegistry;
let leases: FetchLeases;
let opened: AsyncDisposable[];
let image: ReturnType<typeof addImage>;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "mote-fleet-"));
  upstream = await startSimulatedRegistry({ name: "plain", behaviours: [], lacks: {} });
  image = addImage(upstream.repositories, "team/app", { tag: "1", layers: [400_000, 10] });
  leases = new MemoryFetchLeases();
  opened = [upstream];
});
afterEach(async () => {
  for (const each of opened.reverse()) await each[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** Starts a mirror that is one of a fleet. */
async function startMember(options: Partial<OpenMoteOptions> = {}, served: Partial<ServeMoteOptions> = {}) {
  const port = await freePort();
  const mote = await openMote({ dir: join(root, String(port)), ...options });
  const mirror = { upstreams: [`up.example=http://${upstream.host}`] };
  const advertise = `http://127.0.0.1:${port}`;
  const server = await mote.serve({ port, mirror, advertise, fetchLeases: leases, ...served });
  opened.push(mote, server);
  return server;
}

async function get({ url }: RegistryServer, path: string): Promise<Uint8Array> {
  const response = await fetch(`${url}${path}`);
  expect(response.status, path).toBe(200);
  return new Uint8Array(await response.arrayBuffer());
}

async function pull(server: RegistryServer): Promise<void> {
  const text = new TextDecoder().decode(await get(server, "/v2/team/app/manifests/1"));
  const { config, layers } = JSON.parse(text) as { config: { digest: string }; layers: { digest: string }[] };
  for (const { digest } of [config, ...layers]) {
    expect(digestBytes(await get(server, `/v2/team/app/blobs/${digest}`))).toBe(digest);
  }
}

/** Returns how often each manifest and blob was read from the upstream. */
function reads(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { method, url } of upstream.requests) {
    const digest = /sha256:[0-9a-f]{64}$/.exec(url.pathname)?.[0];
    if (method === "GET" && digest !== undefined) counts[digest] = (counts[digest] ?? 0) + 1;
  }
  return counts;
}

describe("mirrors with --advertise", () => {
  it("read everything from the upstream once, and tell what came from each other", async () => {
    const servers = [await startMember(), await startMember(), await startMember()];
    for (const server of servers) await pull(server);
    expect(Object.values(reads())).toEqual([1, 1, 1, 1]);
    const [first, second] = servers;
    if (first === undefined || second === undefined) throw new Error("no servers");
    const status = JSON.parse(new TextDecoder().decode(await get(second, "/api/status")));
    const config = JSON.stringify({ os: "linux", architecture: "amd64" });
    const receivedBytes = 400_010 + image.manifest.size + config.length;
    expect(status.fleet).toEqual({ url: second.url, members: [{ url: first.url, receivedBytes, failures: 0 }] });
    expect(status.upstreams[0].receivedBytes).toBe(0);
    const metrics = new TextDecoder().decode(await get(second, "/metrics"));
    expect(metrics).toContain(`mote_fleet_bytes_total{member="${first.url}"} ${receivedBytes}\n`);
  });

  it("read from the upstream on their own if they have different secrets", async () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => warnings.push(message) };
    const servers = [
      await startMember({ logger }, { fleetSecret: "a".repeat(32) }),
      await startMember({ logger }, { fleetSecret: "b".repeat(32) }),
    ];
    for (const server of servers) await pull(server);
    expect(Object.values(reads())).toEqual([2, 2, 2, 2]);
    expect(warnings).toEqual([expect.stringContaining("check that all members have the same secret")]);
  });

  it("write to the tier only what they have read from the upstream", async () => {
    const tier = new CountingCache();
    // The second one does not find it in the tier at first.
    tier.find = async () => undefined;
    const servers = [await startMember({ tier }), await startMember({ tier })];
    for (const server of servers) await pull(server);
    expect(Object.values(reads())).toEqual([1, 1, 1, 1]);
    for (const each of opened.splice(1).reverse()) await each[Symbol.asyncDispose]();
    expect(Object.values(tier.writes)).toEqual([1, 1, 1, 1]);
  });

  it("serve without the store of leases and the secret", async () => {
    const fail = () => Promise.reject(new MoteError("MOTE_UNREACHABLE", "Redis is down"));
    leases = { acquire: fail, renew: fail, release: fail, secret: fail, async [Symbol.asyncDispose]() {} };
    await pull(await startMember());
    await pull(await startMember());
    expect(Object.values(reads())).toEqual([2, 2, 2, 2]);
  });

  it.each<[string, Partial<OpenMoteOptions>, Partial<ServeMoteOptions>]>([
    ["without a shared store", {}, { fetchLeases: undefined }],
    ["without upstreams", {}, { mirror: undefined }],
    ["with a cache that others cannot read from", { dir: undefined, cache: new MemoryCache() }, {}],
    ["with a URL that is not one of HTTP", {}, { advertise: "ftp://127.0.0.1:1" }],
    ["with a URL whose host is not valid", {}, { advertise: "http://no~host:1" }],
    ["with a URL that has a password", {}, { advertise: "http://ann:secret@127.0.0.1:1" }],
    ["with a short secret", {}, { fleetSecret: "secret" }],
  ])("are not started %s", async (_, options, served) => {
    await expect(startMember(options, served)).rejects.toMatchObject({ code: "MOTE_CONFIG" });
  });
});

/** Counts the writes of each mote. */
class CountingCache extends MemoryCache {
  readonly writes: Record<string, number> = {};

  override async createMote(...[digest, ...more]: Parameters<MemoryCache["createMote"]>): Promise<Mote> {
    this.writes[digest] = (this.writes[digest] ?? 0) + 1;
    return super.createMote(digest, ...more);
  }
}
