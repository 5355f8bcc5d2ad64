import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, digestEncoded } from "@mote/core";
import { openMote } from "@mote/preset";
import {
  type ChaosProxy,
  type DockerRegistry,
  needs,
  needsVersitygw,
  type S3Server,
  startChaosProxy,
  startDockerRegistry,
  startRadosgw,
  startVersitygw,
} from "@mote/testbed";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { mainFile, runMote } from "./run-mote.js";

const registryNeeds = needs("docker-registry");
const services = [
  { name: "radosgw", start: startRadosgw, missing: needs("ceph", "ceph-mon", "ceph-osd", "radosgw") + registryNeeds },
  { name: "versitygw", start: startVersitygw, missing: needsVersitygw() + registryNeeds },
];
const denied = { status: 403, body: "<Error><Code>AccessDenied</Code></Error>" };

for (const { name, start, missing } of services) {
  describe.skipIf(missing !== "")(`mote with a bucket of ${name}${missing}`, () => {
    let root: string;
    let service: S3Server;
    let registry: DockerRegistry;
    let manifest: string;
    /** The digest in hex of a layer. */
    let layer: string;
    /** The digests in hex of everything in the registry, in order. */
    let hexes: string[];
    /** In front of the registry, and of the service. */
    let registryProxy: ChaosProxy;
    let serviceProxy: ChaosProxy;
    let env: NodeJS.ProcessEnv;
    let bucket: string;
    let tier: string;

    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), "mote-bucket-"));
      [service, registry] = await Promise.all([start(), startDockerRegistry()]);
      const files = ["model.bin", "words.txt"].map((file) => ({ path: join(root, file) }));
      for (const { path } of files) {
        const bytes = randomBytes(200_000);
        layer = digestEncoded(digestBytes(bytes));
        await writeFile(path, bytes);
      }
      await using origin = await openMote({ dir: join(root, "origin") });
      const { refs } = await origin.pushFiles(files, `docker://${registry.host}/team/app:1`);
      manifest = refs[0]?.descriptor.digest ?? "";
      hexes = [];
      for await (const { digest } of origin.cache.motes?.() ?? []) hexes.push(digestEncoded(digest));
      hexes.sort();
    }, 120_000);
    afterAll(async () => {
      await Promise.all([service?.stop(), registry?.stop()]);
      await rm(root, { recursive: true, force: true });
    });
    beforeEach(async () => {
      registryProxy = await startChaosProxy(registry.host);
      serviceProxy = await startChaosProxy(new URL(service.endpoint).host);
      bucket = await service.createBucket();
      tier = `s3://${bucket}/ci`;
      env = {
        AWS_ACCESS_KEY_ID: service.accessKeyId,
        AWS_SECRET_ACCESS_KEY: service.secretAccessKey,
        AWS_REGION: "us-east-1",
        MOTE_RETRIES: "0",
        AWS_ENDPOINT_URL_S3: `http://${serviceProxy.host}`,
      };
    });
    afterEach(async () => {
      await registryProxy[Symbol.asyncDispose]();
      await serviceProxy[Symbol.asyncDispose]();
    });

    let machines = 0;
    const newMachine = () => join(root, `machine-${++machines}`);
    const mote = (...args: string[]) => runMote(args, { env });
    const pull = async (cache: string, reference = `${registryProxy.host}/team/app:1`) => {
      const { status, stdout, stderr } = await mote("pull", reference, "--cache", cache, "--tier", tier, "--json");
      expect(status, stderr).toBe(0);
      return JSON.parse(stdout);
    };
    /** The digests in hex of the blobs in the bucket, as another program lists them. */
    const stored = async () => {
      const listing = await (await service.send("GET", `${bucket}?list-type=2&prefix=ci%2Fblobs%2F`)).text();
      return [...listing.matchAll(/<Key>ci\/blobs\/sha256\/([0-9a-f]{64})<\/Key>/g)].map(([, hex]) => hex).sort();
    };
    const isBlobPut = ({ method, url }: { method: string; url: string }) => method === "PUT" && url.includes("/blobs/");
    const contentRequests = () =>
      registryProxy.requests.filter(({ method, url }) => method === "GET" && /\/(?:blobs|manifests)\//.test(url));

    it("ends a pull when the bucket has everything, and another machine fetches nothing from the registry", async () => {
      expect(await pull(newMachine())).toMatchObject({ fetched: { count: 2 }, tier: { count: 0 }, warnings: [] });
      expect(await stored()).toEqual(hexes);
      registryProxy.requests.length = 0;
      const report = await pull(newMachine());
      expect(report).toMatchObject({
        fetched: { count: 0, bytes: 0 },
        tier: { count: 3, bytes: 400_002 },
        manifests: { fetched: 0, fetchedBytes: 0 },
      });
      expect(contentRequests()).toEqual([]);

      registryProxy.inject(() => "hang up");
      const third = newMachine();
      const byDigest = await pull(third, `${registryProxy.host}/team/app@${manifest}`);
      expect(byDigest.tier.count).toBe(3);
      const byName = await mote("pull", `${registryProxy.host}/team/app:1`, "--cache", newMachine(), "--tier", tier);
      expect(byName.status).toBe(1);
    });

    it("continues with a warning if the bucket fails in the middle, and stores the rest at the next command", async () => {
      const first = newMachine();
      serviceProxy.inject((request) => (isBlobPut(request) ? "hang up" : undefined));
      const failed = await mote("pull", `${registryProxy.host}/team/app:1`, "--cache", first, "--tier", tier);
      expect([failed.status, failed.stderr]).toEqual([0, expect.stringContaining("the rest waits in the cache")]);
      expect(await stored()).toEqual([]);
      serviceProxy.inject(() => undefined);
      await pull(first);
      expect(await stored()).toEqual(hexes);

      serviceProxy.inject(({ method, url, attempt }) => {
        if (method !== "GET" || !url.includes("/blobs/")) return undefined;
        return attempt === 0 ? { cutAfter: 1_000 } : "hang up";
      });
      const second = newMachine();
      const { tier: fromTier, fetched } = await pull(second);
      // The config is shorter than what arrives.
      expect([fromTier.count, fetched.count]).toEqual([1, 2]);
      const verified = await mote("verify", "--cache", second);
      expect([verified.status, verified.stderr]).toEqual([0, expect.any(String)]);
    });

    it("keeps an object whose bytes were wrong on the way once, and replaces one that is damaged", async () => {
      await pull(newMachine());
      let lies = 1;
      serviceProxy.inject(({ method, url }) =>
        method === "GET" && url.includes(layer) && lies-- > 0 ? { flipAt: 1_000 } : undefined,
      );
      registryProxy.requests.length = 0;
      expect(await pull(newMachine())).toMatchObject({ fetched: { count: 0 }, tier: { count: 3, bytes: 400_002 } });
      expect(contentRequests()).toEqual([]);
      expect(await stored()).toEqual(hexes);

      serviceProxy.inject(() => undefined);
      await service.send("PUT", `${bucket}/ci/blobs/sha256/${layer}`, { body: randomBytes(200_000) });
      const report = await pull(newMachine());
      expect(report).toMatchObject({ fetched: { count: 1, bytes: 200_000 }, tier: { count: 2 } });
      expect(await stored()).toEqual(hexes);
      const listing = await (await service.send("GET", `${bucket}?list-type=2&prefix=ci%2Fquarantine%2F`)).text();
      expect(listing).toContain(layer);
      expect((await pull(newMachine())).tier.count).toBe(3);
    });

    it("reads from a bucket that may not be written to, and lets nothing wait for it", async () => {
      await pull(newMachine());
      await service.send("DELETE", `${bucket}/ci/blobs/sha256/${layer}`);
      serviceProxy.inject(({ method }) => (method === "PUT" ? denied : undefined));
      const second = newMachine();
      const ended = await mote("pull", `${registryProxy.host}/team/app:1`, "--cache", second, "--tier", tier);
      expect([ended.status, ended.stderr]).toEqual([0, expect.stringContaining("the tier is read-only")]);
      expect(ended.stdout).toMatch(/^fetched .*\(2 blobs\) from the tier, .*\(1 blob\) from the registry in /);
      expect(await waiting(second)).toEqual([]);
    });

    it("stores at the next command what was fetched by one that was killed", async () => {
      const first = newMachine();
      let arrived = () => {};
      const isWriting = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      serviceProxy.inject((request) => {
        if (!isBlobPut(request)) return undefined;
        arrived();
        return "silence";
      });
      const args = ["pull", `${registryProxy.host}/team/app:1`, "--cache", first, "--tier", tier];
      const child = spawn(process.execPath, [mainFile, ...args], { env: { ...process.env, ...env }, stdio: "ignore" });
      const ended = once(child, "exit");
      await isWriting;
      child.kill("SIGKILL");
      await ended;
      expect((await waiting(first)).length).toBeGreaterThan(0);
      serviceProxy.inject(() => undefined);
      await pull(first);
      expect(await stored()).toEqual(hexes);
      expect(await waiting(first)).toEqual([]);
    });

    it("is the cache itself if --cache names it, and all commands work on it", async () => {
      const name = `${registryProxy.host}/team/app:1`;
      const json = async (...args: string[]) => {
        const { status, stdout, stderr } = await mote(...args, "--cache", tier, "--json");
        expect(status, stderr).toBe(0);
        return JSON.parse(stdout);
      };
      await pull(newMachine());
      expect(await json("du")).toMatchObject({ dir: tier, motes: 4 });
      expect((await json("ls")).map(({ digest }: { digest: string }) => digest.slice(7)).sort()).toEqual(hexes);
      expect(await json("ls", "--tagged")).toMatchObject([{ tags: [name], kind: "artifact" }]);
      expect(await json("info", name)).toMatchObject({ digest: manifest });
      expect(await json("verify")).toMatchObject({ motes: 4, damaged: [], failed: [] });
      expect(await json("info", manifest)).toMatchObject({ digest: manifest });
      // A bucket as the cache has no tier behind it: not even the one of the settings.
      env = { ...env, MOTE_TIER: tier };
      expect(await json("pull", name)).toMatchObject({ fetched: { count: 0 }, hit: { count: 3 }, tier: { count: 0 } });
      await json("prune", "--max-size", "0", "--dry-run");
      expect(await stored()).toEqual(hexes);
      expect((await json("prune", "--max-size", "0", "--yes")).removed).toHaveLength(4);
      expect(await stored()).toEqual([]);
      await json("pull", name);
      expect(await stored()).toEqual(hexes);
      expect((await json("rm", name)).removed).toHaveLength(4);
    });

    it("that is only looked at is not changed", async () => {
      const { status, stdout } = await mote("ls", "--cache", `s3://${bucket}/mistyped`);
      expect([status, stdout]).toEqual([0, ""]);
      expect((await mote("ls", "--cache", tier, "--tier", tier)).status).toBe(2);
      const listing = await (await service.send("GET", `${bucket}?list-type=2`)).text();
      expect(listing).not.toContain("<Key>");
    });

    it("is checked by doctor, as a tier and as the cache, and nothing is left in it", async () => {
      const examined = async (...args: string[]) => {
        const { status, stdout } = await mote("doctor", "--json", ...args);
        const { findings } = JSON.parse(stdout) as { findings: readonly { topic: string; state: string }[] };
        return { status, states: Object.fromEntries(findings.map(({ topic, state }) => [topic, state])) };
      };
      const asTier = await examined("--cache", newMachine(), "--tier", tier);
      expect(asTier.states).toMatchObject({
        tier: "ok",
        "tier clock": "ok",
        "tier writes": "ok",
        "tier conditions": "ok",
      });
      const asCache = await examined("--cache", tier);
      expect(asCache).toMatchObject({ status: 0, states: { cache: "ok", "cache writes": "ok", images: "ok" } });
      expect(await (await service.send("GET", `${bucket}?list-type=2`)).text()).not.toContain("<Key>");
      serviceProxy.inject(({ method }) => (method === "PUT" ? denied : undefined));
      expect((await examined("--cache", newMachine(), "--tier", tier)).states["tier writes"]).toBe("warn");
      const absent = await examined("--cache", newMachine(), "--tier", "s3://no-such-bucket");
      expect(absent).toMatchObject({ status: 1, states: { tier: "fail" } });
    });

    it("costs a pull one short wait, not one for each blob, if it does not respond", async () => {
      serviceProxy.inject(() => "silence");
      expect(await pull(newMachine())).toMatchObject({ fetched: { count: 2 }, tier: { count: 0 } });
      // The format, before anything else.
      expect(serviceProxy.requests).toHaveLength(1);
    });

    it("costs a pull one short wait if nothing listens at its address", async () => {
      env = { ...env, AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9" };
      const report = await pull(newMachine());
      expect(report).toMatchObject({ fetched: { count: 2 }, tier: { count: 0 } });
      expect(report.warnings).toEqual([]);
    });
  });
}

async function waiting(cache: string): Promise<string[]> {
  await mkdir(join(cache, ".mote/waiting"), { recursive: true });
  return readdir(join(cache, ".mote/waiting"));
}
