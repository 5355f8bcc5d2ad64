import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

/** Whether the program is installed; a test that wants it says in its title what to install. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync("which", [program], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** The request lines that the registry has logged so far, such as `GET /v2/app/blobs/sha256:…`. */
  requests(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Debian's docker-registry on a free port of loopback, its storage below `dir`. `htpasswd` is the path of a password file. */
export async function startRegistry(dir: string, options: { readonly htpasswd?: string } = {}): Promise<Registry> {
  await mkdir(join(dir, "storage"), { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const config = {
    version: 0.1,
    log: { level: "info", accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: join(dir, "storage") } },
    http: { addr: host },
    ...(options.htpasswd ? { auth: { htpasswd: { realm: "test", path: options.htpasswd } } } : {}),
  };
  // Its YAML reader takes JSON.
  await writeFile(join(dir, "config.yml"), JSON.stringify(config));
  const logPath = join(dir, "log");
  const child = spawn("sh", ["-c", 'exec docker-registry serve "$0" >"$1" 2>&1', join(dir, "config.yml"), logPath], {
    stdio: "ignore",
  });
  await untilAnswers(`http://${host}/v2/`, child);
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  return {
    host,
    stop,
    async requests() {
      const log = await readFile(logPath, "utf8");
      return [...log.matchAll(/"((?:GET|HEAD|PUT|POST|PATCH) [^" ]+) HTTP/g)].map((match) => match[1] ?? "");
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function untilAnswers(url: string, child: ChildProcess): Promise<void> {
  const deadlineMs = Date.now() + 20_000;
  while (Date.now() < deadlineMs) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    const answered = await fetch(url).then(
      () => true,
      () => false,
    );
    if (answered) return;
    // There is no event to wait for: the program does not tell when it listens.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} did not answer within 20 s`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
