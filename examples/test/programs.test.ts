import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needs } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runTypeScript } from "../../docs/test/run-typescript.js";
import { type SeededRegistry, startSeededRegistry } from "../../docs/test/seeded-registry.js";

const examples = fileURLToPath(new URL("..", import.meta.url));
const missing = needs("docker-registry");

describe.skipIf(missing !== "")(`the examples${missing}`, () => {
  let registry: SeededRegistry;
  let folder: string;

  beforeAll(async () => {
    registry = await startSeededRegistry();
    folder = await mkdtemp(join(tmpdir(), "mote-examples-"));
  });
  afterAll(async () => {
    await registry?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const run = async (file: string, ...args: readonly string[]) =>
    await runTypeScript(examples, await readFile(join(examples, file), "utf8"), file.replace(/\W/g, "-"), {
      args,
      cwd: folder,
    });

  it("embed.ts lists the layers of an image and fetches them only once", async () => {
    const reference = `docker://${registry.host}/team/app:1.0`;
    const first = await run("embed.ts", reference, join(folder, "tool"));
    const [layer] = first.stdout.split("\n");
    const [size, path] = layer?.split("\t") ?? [];
    expect((await readFile(path ?? "")).byteLength).toBe(Number(size));
    const second = await run("embed.ts", reference, join(folder, "tool"));
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).toContain("0 bytes fetched");
  });

  it("embed.ts prints the code of an error", async () => {
    await expect(
      run("embed.ts", `docker://${registry.host}/team/none:1.0`, join(folder, "tool")),
    ).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("MOTE_NOT_FOUND"),
    });
  });

  it("build-base.mjs works when the registry is unreachable", async () => {
    process.env.MOTE_CACHE_DIR = join(folder, "shared");
    const reference = `docker://${registry.host}/team/app:1.0`;
    await run("build-base.mjs", reference, join(folder, "build"));
    const digest = await readFile(join(folder, "build", "base.digest"), "utf8");
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    await registry.stop();
    const { stdout, stderr } = await run("build-base.mjs", reference, join(folder, "again"));
    expect(await readFile(join(folder, "again", "base.digest"), "utf8")).toBe(digest);
    expect(stdout).toContain("0 bytes fetched");
    expect(stderr).not.toBe("");
  });
});
