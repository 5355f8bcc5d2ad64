import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needs, startDockerRegistry } from "../../packages/testbed/src/index.js";
import { blocksOf } from "./code-blocks.js";
import { type SeededRegistry, startSeededRegistry } from "./seeded-registry.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
const missing = needs("age", "docker-registry", "htpasswd", "skopeo");
const howTos = (await readdir(join(root, "docs/how-to"))).filter((name) => name.endsWith(".md"));
const pages = ["README.md", ...howTos.map((name) => `docs/how-to/${name}`)];

/**
 * The `sh` blocks of a page are one session, in their order, in a home and a folder of its own. `registry.example` is a real registry
 * with `team/app:1.0`, `team/model:7b` and `team/llama:1b` in it, `mirror.example` one that is empty. `model.bin` and `data/` are
 * there. A block that is one `mote serve` runs until the page ends.
 */
describe.skipIf(missing !== "")(`the commands of the documents run as they stand${missing}`, () => {
  let registry: SeededRegistry;
  beforeAll(async () => {
    registry = await startSeededRegistry();
  });
  afterAll(async () => await registry?.stop());

  it.each(pages)("%s", { timeout: 240_000 }, async (page) => {
    const blocks = blocksOf(await readFile(join(root, page), "utf8"), "sh");
    await using mirror = await startDockerRegistry();
    await using session = await Session.open({ "registry.example": registry.host, "mirror.example": mirror.host });
    for (const block of blocks) await session.run(block);
  });

  it("exist on the first page", async () => {
    expect(blocksOf(await readFile(join(root, "README.md"), "utf8"), "sh").length).toBeGreaterThan(1);
  });
});

class Session implements AsyncDisposable {
  readonly #folder: string;
  readonly #replaced: ReadonlyMap<string, string>;
  readonly #env: NodeJS.ProcessEnv;
  readonly #servers: ChildProcess[] = [];

  private constructor(folder: string, replaced: ReadonlyMap<string, string>) {
    this.#folder = folder;
    this.#replaced = replaced;
    const { PATH = "", LANG = "C.UTF-8" } = process.env;
    this.#env = { PATH: `${join(folder, "bin")}${delimiter}${PATH}`, HOME: join(folder, "home"), LANG, NO_COLOR: "1" };
  }

  static async open(hosts: Readonly<Record<string, string>>): Promise<Session> {
    const folder = await mkdtemp(join(tmpdir(), "mote-documents-"));
    for (const name of ["bin", "home", "work", "work/data"]) await mkdir(join(folder, name));
    const command = `#!/bin/sh\nexec '${process.execPath}' '${join(root, "apps/cli/dist/main.js")}' "$@"\n`;
    await writeFile(join(folder, "bin", "mote"), command, { mode: 0o755 });
    await writeFile(join(folder, "work", "model.bin"), "weights");
    await writeFile(join(folder, "work", "data", "rows.csv"), "1,2\n");
    const port = String(await freePort());
    return new Session(folder, new Map([...Object.entries(hosts), ["5000", port]]));
  }

  async run(block: string): Promise<void> {
    const script = this.#adapted(block);
    if (/^mote serve\b[^\n]*\n$/.test(script)) return await this.#serve(script);
    if (script.trim() === "") return;
    await run("bash", ["--norc", "-euo", "pipefail", "-c", script], {
      cwd: join(this.#folder, "work"),
      env: this.#env,
    }).catch(({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new Error(`failed:\n${script}\n${stdout}${stderr}`);
    });
  }

  /** Replaces the example names of the page with those of this session. */
  #adapted(block: string): string {
    const lines = block.split("\n").filter((line) => !isPackageScript(line));
    let script = lines
      .join("\n")
      .replace(/npx --yes pnpm@[\d.]+ (mote|demo)/g, (_, name) => (name === "mote" ? name : "mote demo"));
    for (const [name, replacement] of this.#replaced) script = script.replaceAll(name, replacement);
    return script;
  }

  async #serve(script: string): Promise<void> {
    const server = spawn("bash", ["-c", `exec ${script}`], { cwd: join(this.#folder, "work"), env: this.#env });
    this.#servers.push(server);
    let printed = "";
    for await (const chunk of server.stdout) {
      printed += chunk;
      if (printed.includes("http://")) return;
    }
    throw new Error(`failed:\n${script}\n${printed}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      if (server.exitCode !== null) continue;
      const ended = once(server, "exit");
      server.kill("SIGKILL");
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Returns whether a line builds or tests this repository, which this test is part of, or installs it, which `check:packed` does. */
function isPackageScript(line: string): boolean {
  return /^(?:npx --yes pnpm@[\d.]+ (?!mote|demo)|npm i -g )/.test(line);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
