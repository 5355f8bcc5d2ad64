import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { RegistryServer, ServedRequest } from "@mote/server";
import { needs } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openMote } from "../src/index.js";

const run = promisify(execFile);
// buildkitd mounts file systems.
const isRoot = process.getuid?.() === 0;
const missing = isRoot ? needs("buildctl", "buildkitd", "runc") : " (SKIPPED: run the tests as root)";

describe.skipIf(missing !== "")(`BuildKit${missing}`, () => {
  let dir: string;
  let server: RegistryServer;
  let mirror: RegistryServer;
  /** The paths of the requests for blobs that the registry has answered. */
  const blobs: string[] = [];
  const opened: AsyncDisposable[] = [];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-buildkit-"));
    await mkdir(join(dir, "context"));
    await writeFile(join(dir, "context/a"), "a");
    const steps = ["FROM scratch AS one", "COPY a /a", "FROM scratch", "COPY --from=one /a /b", "COPY a /c"];
    await writeFile(join(dir, "context/Dockerfile"), steps.join("\n"));
    const served = await openMote({ dir: join(dir, "served") });
    const onRequest = ({ method, path }: ServedRequest) => {
      if (method === "GET" && path.includes("/blobs/")) blobs.push(path);
    };
    server = await served.serve({ push: true, graceMs: 0, onRequest });
    const near = await openMote({ dir: join(dir, "mirror") });
    mirror = await near.serve({ mirror: { upstreams: [`builds.example=${server.url}`] }, graceMs: 0 });
    opened.push(served, server, near, mirror);
  });
  afterEach(async () => {
    for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** Starts a buildkitd that has built nothing. Returns a function that builds with it, and returns the progress as text. */
  async function startBuildkit(name: string): Promise<(...args: string[]) => Promise<string>> {
    const address = `unix://${join(dir, name)}.sock`;
    const args = ["--root", join(dir, name), "--addr", address, "--oci-worker-snapshotter=native"];
    const child = spawn("buildkitd", args, { stdio: ["ignore", "ignore", "pipe"] });
    opened.push({
      async [Symbol.asyncDispose]() {
        const ended = once(child, "exit");
        if (child.exitCode === null && child.kill()) await ended;
      },
    });
    let log = "";
    for await (const chunk of child.stderr.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
      log += chunk;
      if (log.includes("running server on")) break;
    }
    expect(log).toContain("running server on");
    child.stderr.resume();
    const context = join(dir, "context");
    const build = ["build", "--progress=plain", "--frontend=dockerfile.v0", `--local=context=${context}`];
    return async (...options) =>
      (await run("buildctl", ["--addr", address, ...build, `--local=dockerfile=${context}`, ...options])).stderr;
  }

  it.each(["image-manifest=true", "image-manifest=false", "oci-mediatypes=false"])(
    "exports a cache to mote serve (%s), and an empty BuildKit builds from it through a mirror",
    async (form) => {
      const name = "cache/app:main";
      const first = await startBuildkit("first");
      const exported = await first(
        `--export-cache=type=registry,ref=${server.host}:${server.port}/${name},mode=max,${form}`,
      );
      expect(exported.match(/ writing layer /g)?.length).toBeGreaterThanOrEqual(3);

      blobs.length = 0;
      const second = await startBuildkit("second");
      const reference = `${mirror.host}:${mirror.port}/builds.example/${name}`;
      await second(`--import-cache=type=registry,ref=${reference}`, `--output=type=local,dest=${dir}/out`);
      expect((await readdir(join(dir, "out"))).sort()).toEqual(["b", "c"]);
      // The config and the two layers of the image: no step ran again, and the layer of the first stage was not needed.
      expect([blobs.length, new Set(blobs).size]).toEqual([3, 3]);
    },
  );
});
