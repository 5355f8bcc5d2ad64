import { execFile } from "node:child_process";
import { Agent, get } from "node:http";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Downloads {
  /** Milliseconds until the last client had its first byte, and all bytes. */
  readonly firstByteMs: number;
  readonly allMs: number;
  /** The same of each client. */
  readonly firstBytesMs: readonly number[];
  readonly clientsMs: readonly number[];
}

/** Downloads a URL with several clients (`curl`) at once. @throws Error if one of them does not get all bytes */
export async function download(url: string, clients: number, bytes: number): Promise<Downloads> {
  const one = [
    "-s",
    "-o",
    "/dev/null",
    "-w",
    "%{http_code} %{time_starttransfer} %{time_total} %{size_download}\n",
    url,
  ];
  const all = Array.from({ length: clients }, (_, at) => (at === 0 ? one : ["--next", ...one])).flat();
  const parallel = ["--parallel", "--parallel-immediate", "--parallel-max", String(clients)];
  const { stdout } = await run("curl", [...parallel, ...all]);
  const rows = stdout
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number));
  if (rows.length !== clients || rows.some(([status, , , size]) => status !== 200 || size !== bytes)) {
    throw new Error(`a client did not get all of ${url}: ${stdout}`);
  }
  const milliseconds = (column: number) => rows.map((row) => 1000 * (row[column] ?? Number.POSITIVE_INFINITY));
  const [firstBytesMs, clientsMs] = [milliseconds(1), milliseconds(2)];
  return { firstByteMs: Math.max(...firstBytesMs), allMs: Math.max(...clientsMs), firstBytesMs, clientsMs };
}

export interface Latencies {
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** Sends this many requests per second, whether earlier ones have ended or not. `pathOf` returns the path of each. */
export async function requestsPerSecond(
  url: string,
  pathOf: (at: number) => string,
  { rate, count }: { readonly rate: number; readonly count: number },
): Promise<Latencies> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const startMs = performance.now();
  const pending: Promise<number>[] = [];
  while (pending.length < count) {
    // A request that is sent late has waited since it was due.
    for (let dueMs = dueOf(); pending.length < count && dueMs <= performance.now(); dueMs = dueOf()) {
      pending.push(oneRequest(`${url}${pathOf(pending.length)}`, agent).then((endMs) => endMs - dueMs));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const times = (await Promise.all(pending)).sort((one, other) => one - other);
  agent.destroy();
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
  return { medianMs: at(0.5), p99Ms: at(0.99) };

  function dueOf(): number {
    return startMs + (pending.length / rate) * 1000;
  }
}

/** Sends one request after another. */
export async function oneAfterAnother(url: string, pathOf: (at: number) => string, count: number): Promise<Latencies> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const startMs = performance.now();
    times.push((await oneRequest(`${url}${pathOf(at)}`, agent)) - startMs);
  }
  agent.destroy();
  times.sort((one, other) => one - other);
  return { medianMs: times[count >> 1] ?? 0, p99Ms: times[Math.floor(0.99 * count)] ?? 0 };
}

/** Returns when the response was read. */
function oneRequest(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`));
      response.resume().once("end", () => resolve(performance.now()));
    }).once("error", reject);
  });
}
