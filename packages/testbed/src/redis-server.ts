import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killAndWait } from "./child-process.js";
import { freePort } from "./loopback.js";

export interface RedisServerOptions {
  /** Further settings, such as `{ "cluster-enabled": "yes" }`. */
  readonly settings?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** The path of a configuration file, which makes the server a Sentinel. */
  readonly sentinel?: string | undefined;
  /** Default: a free port. */
  readonly port?: number | undefined;
}

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
  /** Suspends or continues the process. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** Kills the process. Can be called more than once. */
  stop(): Promise<void>;
}

/** Starts Debian's redis-server on loopback, without saving to disk. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "mote-redis-"));
  const port = options.port ?? (await freePort());
  const save = options.sentinel === undefined ? { save: "" } : {};
  const settings = { bind: "127.0.0.1", port: String(port), dir: folder, ...save, ...options.settings };
  const lines = Object.entries(settings).map(([name, value]) => [`--${name}`, ...[value].flat()]);
  const { sentinel } = options;
  const start = sentinel === undefined ? [] : [sentinel, "--sentinel"];
  const child = spawn("redis-server", [...start, ...lines.flat()], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (/Ready to accept connections|Sentinel ID is/.test(log)) resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`redis-server ended: ${log}`)));
  });
  const stop = async () => {
    await killAndWait(child);
    await rm(folder, { recursive: true, force: true });
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    signal: (name) => void child.kill(name),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
