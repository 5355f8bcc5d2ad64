import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addImage, type Effect, startChaosProxy, startSimulatedRegistry } from "@mote/testbed";
import { expect, it } from "vitest";
import { runMote } from "./run-mote.js";
import { endServing, type Serving, startServe } from "./start-serve.js";

// By hand: SOAK_SECONDS=180 SOAK_PROCESSES=12 SOAK_CLIENTS=32
const seconds = Number(process.env.SOAK_SECONDS ?? 10);
const processes = Number(process.env.SOAK_PROCESSES ?? 3);
const clients = Number(process.env.SOAK_CLIENTS ?? 16);
const images = 20;
const maxSize = 8_000_000;

/** What clients have seen. */
interface Seen {
  complete: number;
  /** Responses with 429 or 5xx, and connections that were broken: the upstream fails, or sent wrong bytes. */
  failed: number;
  readonly wrong: string[];
}

/** Reads a response to its end. `undefined`: the connection was broken. */
function read(url: string, agent: Agent): Promise<{ readonly status: number; readonly bytes: Buffer } | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", () => resolve(undefined));
      response.once("close", () =>
        resolve(response.complete ? { status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) } : undefined),
      );
    });
    request.once("error", () => resolve(undefined));
  });
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** About one response in eight of the upstream is faulty. */
function fault(random: number): Effect | undefined {
  const faults: readonly Effect[] = [
    { status: 500 },
    { status: 503 },
    { status: 429, headers: { "retry-after": "1" } },
    "hang up",
    { cutAfter: 100_000 },
    { flipAt: 1_000 },
    { stallAfter: 50_000 },
    { headers: { "content-length": undefined }, flipAt: 70_000 },
  ];
  return faults[Math.floor(random * 8 * faults.length)];
}

function memoryOf({ child: { pid } }: Serving): { readonly megabytes: number; readonly descriptors: number } {
  const kibibytes = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return { megabytes: Math.round(kibibytes / 1024), descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

it(
  `${processes} mirrors of one cache give ${clients} clients only right bytes, while it is pruned and its upstream fails`,
  async () => {
    const root = mkdtempSync(join(tmpdir(), "mote-soak-"));
    const dir = join(root, "cache");
    await using upstream = await startSimulatedRegistry({ name: "plain", behaviours: [], lacks: {} });
    await using proxy = await startChaosProxy(upstream.host);
    for (let at = 0; at < images; at++) {
      const layers = [1_000, 100_000 + at * 10_000, 600_000 + at];
      addImage(upstream.repositories, "team/app", { tag: `t${at}`, layers, architecture: `a${at}` });
    }
    const env = { MOTE_IDLE_TIMEOUT: "2s", MOTE_RETRIES: "1" };
    const args = ["--upstream", `up.example=http://${proxy.host}`, "--fresh", "1s", "--max-size", String(maxSize)];
    const servers = await Promise.all(Array.from({ length: processes }, () => startServe(dir, args, env)));
    const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
    const seen: Seen = { complete: 0, failed: 0, wrong: [] };
    const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(Math.random() * items.length)] as Item;

    async function request(path: string, digest?: string): Promise<Buffer | undefined> {
      const response = await read(`${pick(servers).url}/v2/up.example/team/app/${path}`, agent);
      if (response === undefined || response.status === 429 || response.status >= 500) {
        seen.failed++;
        return undefined;
      }
      const { status, bytes } = response;
      if (status !== 200) seen.wrong.push(`${path}: ${status}`);
      else if (digest !== undefined && digestOf(bytes) !== digest) seen.wrong.push(`${path}: other bytes`);
      else seen.complete++;
      return status === 200 ? bytes : undefined;
    }

    async function client(untilMs: number): Promise<void> {
      while (Date.now() < untilMs) {
        const manifest = await request(`manifests/t${Math.floor(Math.random() * images)}`);
        if (manifest === undefined) continue;
        const { config, layers } = JSON.parse(manifest.toString()) as {
          readonly config: { readonly digest: string };
          readonly layers: readonly { readonly digest: string }[];
        };
        for (const { digest } of [config, ...layers]) await request(`blobs/${digest}`, digest);
      }
    }

    async function maintain(untilMs: number): Promise<void> {
      while (Date.now() < untilMs) {
        await runMote(["prune", "--max-size", String(pick([0, 2_000_000, maxSize])), "--cache", dir]);
        await runMote(["rm", `up.example/team/app:t${Math.floor(Math.random() * images)}`, "--cache", dir]);
      }
    }

    try {
      await client(Date.now() + 1_000);
      proxy.inject(() => fault(Math.random()));
      const untilMs = Date.now() + seconds * 1000;
      const halfway = new Promise<ReturnType<typeof memoryOf>[]>((resolve) => {
        setTimeout(() => resolve(servers.map(memoryOf)), (seconds * 1000) / 2);
      });
      await Promise.all([...Array.from({ length: clients }, () => client(untilMs)), maintain(untilMs)]);
      proxy.inject(() => undefined);
      agent.destroy();
      const [before, after] = [await halfway, servers.map(memoryOf)];
      console.log(
        JSON.stringify({ seconds, processes, clients, ...seen, requests: proxy.requests.length, before, after }),
      );
      expect(seen.wrong).toEqual([]);
      expect(seen.complete).toBeGreaterThan(0);
      for (const { megabytes, descriptors } of after) {
        expect(megabytes).toBeLessThan(300);
        expect(descriptors).toBeLessThan(200);
      }
    } finally {
      agent.destroy();
      await endServing();
      rmSync(root, { recursive: true, force: true });
    }
  },
  120_000 + seconds * 2_000,
);
