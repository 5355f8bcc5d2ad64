import { loadavg } from "node:os";
import { join } from "node:path";
import { freePort, startRedisServer } from "@mote/testbed";
import { download, oneAfterAnother } from "../mirror-clients.js";
import { type BenchMirror, startMoteMirror } from "../mirror-servers.js";
import { type LimitedUpstream, startLimitedUpstream } from "../mirror-upstream.js";

export interface RealFleetOptions {
  readonly members: number;
  /** Of all members. Each reads the layer from one of them. */
  readonly clients: number;
  readonly layerBytes: number;
  /** Of the upstream, for each request. */
  readonly bytesPerSecond: number;
}

/** What came of a run. Bytes, seconds and counts. */
export interface RealFleetRun extends RealFleetOptions {
  /** Of the manifest and the layer, each counted once. */
  readonly uniqueBytes: number;
  /** As the members count them. */
  readonly upstreamBytes: number;
  /** Requests for the layer that arrived at the upstream. */
  readonly upstreamRequests: number;
  /** Bytes that members have read from each other. */
  readonly memberBytes: number;
  /** Of each client, in ascending order, since all began. */
  readonly firstByteSeconds: readonly number[];
  readonly seconds: readonly number[];
  /** Bytes per second that all clients together get when the members have everything. */
  readonly warmBytesPerSecond: number;
  /** Of one client that reads the layer from the upstream. */
  readonly aloneSeconds: number;
  /** Average processes that are running or wait to run, in the minute before. */
  readonly load: number;
}

/** Starts `mote serve` several times with one Redis, over an upstream at a limited rate, and has clients (`curl`) read one image at once. */
export async function runRealFleet(folder: string, options: RealFleetOptions): Promise<RealFleetRun> {
  const { layerBytes, bytesPerSecond } = options;
  await using upstream = await startLimitedUpstream(layerBytes, bytesPerSecond);
  await using redis = await startRedisServer();
  const members: BenchMirror[] = [];
  try {
    for (let at = 0; at < options.members; at++) {
      const port = await freePort();
      const shared = ["--bic", redis.url, "--advertise", `http://127.0.0.1:${port}`, `--port=${port}`];
      members.push(await startMoteMirror(join(folder, `member-${at}`), ["--upstream", upstream.host, ...shared]));
    }
    return await readTogether(members, upstream, options);
  } finally {
    for (const member of members) await member[Symbol.asyncDispose]();
  }
}

async function readTogether(
  members: readonly BenchMirror[],
  upstream: LimitedUpstream,
  options: RealFleetOptions,
): Promise<RealFleetRun> {
  const { clients, layerBytes } = options;
  for (const { url } of members) await oneAfterAnother(url, () => upstream.manifest, 1);
  const share = clients / members.length;
  const downloadAll = () =>
    Promise.all(members.map(({ url }) => download(`${url}${upstream.blob}`, share, layerBytes)));
  const load = loadavg()[0] ?? 0;
  const downloads = await downloadAll();
  const statuses = await Promise.all(members.map(readStatus));
  const upstreamRequests = upstream.gets;
  const warm = await downloadAll();
  const alone = await download(`http://${upstream.host}${upstream.blob}`, 1, layerBytes);
  const ascending = (milliseconds: readonly number[]) =>
    milliseconds.map((each) => Math.round(each) / 1000).sort((one, other) => one - other);
  return {
    ...options,
    uniqueBytes: layerBytes + upstream.manifestBytes,
    upstreamBytes: sum(statuses.map(({ bytes }) => bytes.fetched)),
    upstreamRequests,
    memberBytes: sum(statuses.flatMap(({ fleet }) => fleet.members.map(({ receivedBytes }) => receivedBytes))),
    firstByteSeconds: ascending(downloads.flatMap(({ firstBytesMs }) => firstBytesMs)),
    seconds: ascending(downloads.flatMap(({ clientsMs }) => clientsMs)),
    warmBytesPerSecond: Math.round((clients * layerBytes * 1000) / Math.max(...warm.map(({ allMs }) => allMs))),
    aloneSeconds: alone.allMs / 1000,
    load,
  };
}

interface Status {
  readonly bytes: { readonly fetched: number };
  readonly fleet: { readonly members: readonly { readonly receivedBytes: number }[] };
}

async function readStatus({ url }: BenchMirror): Promise<Status> {
  return (await (await fetch(`${url}/api/status`)).json()) as Status;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
