import { join } from "node:path";
import { type Digest, digestBytes, mediaTypes, writeMote } from "@mote/core";
import { FileCache } from "@mote/fs";
import { isInstalled, needs } from "@mote/testbed";
import type { Row } from "./compare.js";
import { type Downloads, download, oneAfterAnother, requestsPerSecond } from "./mirror-clients.js";
import { type BenchMirror, startDistributionMirror, startMoteMirror } from "./mirror-servers.js";
import { type LimitedUpstream, startLimitedUpstream } from "./mirror-upstream.js";

const layerBytes = 100_000_000;
const clients = 16;
/** Of the upstream: a gigabit network has about twice as much. */
const bytesPerSecond = 50_000_000;
const unlimited = 1e12;

/** Compares a mirror with its upstream and, where they are installed, with Distribution as a pull-through cache. */
export async function* mirrorSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  const missing = needs("curl", "docker-registry");
  if (missing !== "") {
    console.error(`  mirror${missing}`);
    return;
  }
  yield* coldRows(folder);
  yield* warmRows(folder);
  yield* nameRows(folder);
}

async function* coldRows(folder: string): AsyncGenerator<Row, void, undefined> {
  await using upstream = await startLimitedUpstream(layerBytes, bytesPerSecond);
  const cold = new ColdMirror(folder, upstream);
  const title = `${clients} cold clients of 100 MB, upstream at ${bytesPerSecond / 1e6} MB/s`;
  yield {
    title: `${title}: the slowest`,
    unit: "MB",
    amount: layerBytes / 1e6,
    goalTime: 1.15,
    peer: {
      name: "one client of the upstream",
      run: async () => void (await download(`http://${upstream.host}${upstream.blob}`, 1, layerBytes)),
    },
    mote: { name: "mote", prepare: () => cold.start(), run: () => cold.download() },
  };
  yield {
    title: `${title}: first byte of the last`,
    unit: "ms",
    atMost: 250,
    measure: async () => (await cold.restarted()).firstByteMs,
  };
  yield {
    title: `${title}: requests for the blob at the upstream`,
    unit: "requests",
    atMost: 1,
    measure: async () => {
      const before = upstream.gets;
      await cold.restarted();
      return upstream.gets - before;
    },
  };
  await cold.stop();
}

/** A mirror that is started with an empty cache for each run. */
class ColdMirror {
  readonly #folder: string;
  readonly #upstream: LimitedUpstream;
  #mirror: BenchMirror | undefined;

  constructor(folder: string, upstream: LimitedUpstream) {
    this.#folder = folder;
    this.#upstream = upstream;
  }

  async start(): Promise<void> {
    await this.stop();
    const { host, manifest } = this.#upstream;
    this.#mirror = await startMoteMirror(join(this.#folder, "cold"), ["--upstream", host]);
    await oneAfterAnother(this.#mirror.url, () => manifest, 1);
  }

  async download(): Promise<void> {
    await this.#download();
  }

  async restarted(): Promise<Downloads> {
    await this.start();
    return this.#download();
  }

  #download(): Promise<Downloads> {
    return download(`${this.#mirror?.url}${this.#upstream.blob}`, clients, layerBytes);
  }

  async stop(): Promise<void> {
    await this.#mirror?.[Symbol.asyncDispose]();
    this.#mirror = undefined;
  }
}

async function* warmRows(folder: string): AsyncGenerator<Row, void, undefined> {
  await using upstream = await startLimitedUpstream(layerBytes, unlimited);
  const programs = (["docker-registry", "registry"] as const).filter((program) => isInstalled(program));
  await using mote = await startMoteMirror(join(folder, "warm"), ["--upstream", upstream.host]);
  const all = ({ url }: BenchMirror) => download(`${url}${upstream.blob}`, clients, layerBytes);
  await oneAfterAnother(mote.url, () => upstream.manifest, 1);
  await download(`${mote.url}${upstream.blob}`, 1, layerBytes);
  for (const program of programs) {
    await using peer = await startDistributionMirror(folder, upstream.host, program);
    await download(`${peer.url}${upstream.blob}`, 1, layerBytes);
    yield {
      title: `${clients} warm clients of 100 MB`,
      unit: "MB",
      amount: (clients * layerBytes) / 1e6,
      goal: 1,
      peer: { name: program === "registry" ? "registry (current)" : program, run: async () => void (await all(peer)) },
      mote: { name: "mote", run: async () => void (await all(mote)) },
    };
  }
  yield {
    title: "memory of the mirror after them",
    unit: "MB",
    atMost: 150,
    measure: async () => mote.peakBytes() / 1e6,
  };
}

const names = 10_000;
const repositories = 100;

async function* nameRows(folder: string): AsyncGenerator<Row, void, undefined> {
  const root = join(folder, "names");
  const digests = await fillNames(root);
  await using mirror = await startMoteMirror(root, ["--upstream", "up.example", "--offline"]);
  const { url } = mirror;
  const repository = (at: number) => `/v2/r${at % repositories}/app/manifests`;
  const byTag = (at: number) => `${repository(at)}/${at % names}`;
  const byDigest = (at: number) => `${repository(at)}/${digests[at % names]}`;
  const load = { rate: 2_000, count: 10_000 };
  const p99 = async () => (await requestsPerSecond(url, () => byDigest(0), load)).p99Ms;
  yield { title: "2,000 requests per second for a warm manifest: 99 % within", unit: "ms", atMost: 20, measure: p99 };
  // A step that has no divisor in common with the number of names visits all of them.
  const median = async (pathOf: (at: number) => string) =>
    (await oneAfterAnother(url, (at) => pathOf((at * 7_919) % names), 2_000)).medianMs;
  yield { title: "with 10,000 names: a manifest by digest", unit: "ms", atMost: 5, measure: () => median(byDigest) };
  yield { title: "with 10,000 names: a manifest by tag", unit: "ms", atMost: 2, measure: () => median(byTag) };
}

/** Fills a cache as a mirror does: each tag is set, checked at its upstream, and its manifest recorded. */
async function fillNames(root: string): Promise<Digest[]> {
  await using cache = new FileCache(root, { durability: "visible" });
  const encoder = new TextEncoder();
  const config = encoder.encode("{}");
  const described = { mediaType: mediaTypes.ociConfig, digest: digestBytes(config), size: config.byteLength };
  await writeMote(cache, described, config);
  const digests: Digest[] = [];
  for (let at = 0; at < names; at++) {
    const body = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: described,
      layers: [],
      annotations: { at: String(at) },
    };
    const bytes = encoder.encode(JSON.stringify(body));
    const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
    await writeMote(cache, descriptor, bytes);
    const repository = `up.example/r${at % repositories}/app`;
    await cache.membership.record(repository, descriptor.digest, { named: true });
    await cache.tags.tag(`${repository}:${at}`, descriptor);
    await cache.freshness.record(`${repository}:${at}`, { ...descriptor, checkedMs: Date.now() });
    digests.push(descriptor.digest);
  }
  return digests;
}
