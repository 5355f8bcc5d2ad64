import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const installed = (program: string) => spawnSync("which", [program]).status === 0;
export const missingPrograms = ["docker-registry", "skopeo", "htpasswd"].filter((program) => !installed(program));
/** Behind a test's name: what to install where it is skipped. */
export const needs = missingPrograms.length === 0 ? "" : ` (install ${missingPrograms.join(", ")})`;

export interface DockerRegistry extends AsyncDisposable {
  readonly host: string;
  /** A folder of the registry's own, for files of the test. */
  readonly folder: string;
  /** What it has logged so far. */
  log(): string;
}

export interface DockerRegistryOptions {
  readonly login?: { readonly username: string; readonly password: string };
  /** Where tokens come from, and the certificate (PEM) that they are signed with. */
  readonly tokens?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly cert: string;
  };
}

/** Debian's docker-registry on a port of its choice. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "mote-registry-"));
  const { login, tokens } = options;
  let auth = "";
  if (login !== undefined) {
    const file = join(folder, "htpasswd");
    await writeFile(file, execFileSync("htpasswd", ["-Bbn", login.username, login.password]));
    auth = `auth: { htpasswd: { realm: test, path: ${file} } }\n`;
  }
  if (tokens !== undefined) {
    const { realm, service, issuer, cert } = tokens;
    const file = join(folder, "tokens.pem");
    await writeFile(file, cert);
    auth = `auth: { token: { realm: "${realm}", service: "${service}", issuer: "${issuer}", rootcertbundle: ${file} } }\n`;
  }
  const config = join(folder, "config.yml");
  await writeFile(
    config,
    `version: 0.1
log: { level: info, accesslog: { disabled: false } }
storage: { filesystem: { rootdirectory: ${join(folder, "storage")} }, delete: { enabled: true } }
http: { addr: "127.0.0.1:0" }
${auth}`,
  );
  const child = spawn("docker-registry", ["serve", config], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const port = await new Promise<string>((resolve, reject) => {
    const read = (chunk: unknown) => {
      log += String(chunk);
      const found = /listening on 127\.0\.0\.1:(\d+)/.exec(log)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", () => reject(new Error(`docker-registry ended: ${log}`)));
  });
  return {
    host: `127.0.0.1:${port}`,
    folder,
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
