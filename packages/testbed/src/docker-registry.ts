import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProgram } from "./child-process.js";

export interface DockerRegistryOptions {
  /** The only user. Default: anonymous access. */
  readonly login?: { readonly username: string; readonly password: string };
  /** The token service, and the certificate (PEM) that verifies its tokens. */
  readonly tokens?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly cert: string;
  };
  /** The upstream of a pull-through cache, as a URL. Default: it is a registry. */
  readonly proxy?: string | undefined;
  /** The program to start. Default `docker-registry`. */
  readonly program?: string | undefined;
  /** The parent directory of its storage. Default: the system's temporary directory. */
  readonly parent?: string | undefined;
}

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** The registry's directory, which tests may use. */
  readonly folder: string;
  /** Returns its log so far. */
  log(): string;
  /** Returns the requests that have ended so far, such as `GET /v2/app/blobs/sha256:…`. */
  requests(): Promise<string[]>;
  /** Can be called more than once. */
  stop(): Promise<void>;
}

/** Starts Debian's docker-registry on a free port of loopback, with deletion enabled. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const folder = await mkdtemp(join(options.parent ?? tmpdir(), "mote-registry-"));
  const config = join(folder, "config.yml");
  // JSON is valid YAML.
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: "info", accesslog: { disabled: false } },
      storage: { filesystem: { rootdirectory: join(folder, "storage") }, delete: { enabled: true } },
      http: { addr: "127.0.0.1:0" },
      ...(options.proxy === undefined ? {} : { proxy: { remoteurl: options.proxy } }),
      ...(await authentication(folder, options)),
    }),
  );
  const { child, ready, log, stop } = await startProgram(options.program ?? "docker-registry", ["serve", config], {
    folder,
    ready: /listening on (127\.0\.0\.1:\d+)/,
  });
  const host = ready[1] ?? "";
  return {
    host,
    folder,
    log,
    async requests() {
      // The log is read from a pipe, and is complete up to the line of this request.
      const mark = `/v2/?mark=${randomUUID()}`;
      await (await fetch(`http://${host}${mark}`)).arrayBuffer();
      while (!log().includes(mark)) await Promise.race([once(child.stdout, "data"), once(child.stderr, "data")]);
      const lines = log().matchAll(/"((?:GET|HEAD|PUT|POST|PATCH|DELETE) [^" ]+) HTTP/g);
      return [...lines].map((found) => found[1] ?? "").filter((line) => !line.includes("?mark="));
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function authentication(folder: string, { login, tokens }: DockerRegistryOptions): Promise<object> {
  if (login !== undefined) {
    const path = join(folder, "htpasswd");
    await writeFile(path, execFileSync("htpasswd", ["-Bbn", login.username, login.password]));
    return { auth: { htpasswd: { realm: "test", path } } };
  }
  if (tokens !== undefined) {
    const { cert, ...service } = tokens;
    const rootcertbundle = join(folder, "tokens.pem");
    await writeFile(rootcertbundle, cert);
    return { auth: { token: { ...service, rootcertbundle } } };
  }
  return {};
}
