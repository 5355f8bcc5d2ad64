import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProgram } from "./child-process.js";
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
  const ready = /Ready to accept connections|Sentinel ID is/;
  const { child, stop } = await startProgram("redis-server", [...start, ...lines.flat()], { folder, ready });
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    signal: (name) => void child.kill(name),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
