import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MoteError } from "@mote/core";
import { openMote } from "@mote/preset";
import {
  type ChaosProxy,
  type DockerRegistry,
  type Effect,
  needs,
  startChaosProxy,
  startDockerRegistry,
} from "@mote/testbed";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

const wanted = needs("docker-registry");

describe.skipIf(wanted !== "")(`pushes to a registry behind a faulty proxy${wanted}`, () => {
  let dir: string;
  let registry: DockerRegistry;
  let proxy: ChaosProxy;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-chaos-"));
    registry = await startDockerRegistry();
  });
  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    proxy = await startChaosProxy(registry.host);
  });
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
  });

  const pushed = "big.bin";
  const push = async (tag: string) => {
    await using mote = await openMote({
      dir: await mkdtemp(join(dir, "cache-")),
      registries: { retries: 1, idleTimeoutMs: 30_000 },
    });
    try {
      await mote.pushFiles([{ path: join(dir, pushed) }], `docker://${proxy.host}/lib/pushed:${tag}`);
      return undefined;
    } catch (error) {
      return error;
    }
  };

  it.each<[string, Effect]>([
    ["disconnected", "hang up"],
    ["stored without a response", "lose the response"],
    ["rejected by a busy registry", { status: 503, headers: { "retry-after": "0" } }],
    ["rejected by a failing registry", { status: 500 }],
  ])("a push continues although a chunk, the end and the manifest are each %s once", async (what, fault) => {
    // More than two chunks.
    await writeFile(join(dir, pushed), randomBytes(20 << 20));
    const suffered = new Set<string>();
    proxy.inject(({ method, url }) => {
      const isPiece = method === "PATCH" && suffered.has("first");
      const kind =
        method === "PATCH" && !isPiece ? "first" : `${method} ${url.includes("/manifests/") ? "manifest" : "blob"}`;
      if (!["PATCH", "PUT"].includes(method) || suffered.has(kind)) return undefined;
      suffered.add(kind);
      return kind === "first" ? undefined : fault;
    });
    const tag = what.replaceAll(/[^a-z]/g, "");
    expect(await push(tag)).toBeUndefined();
    expect([...suffered].sort()).toEqual(["PATCH blob", "PUT blob", "PUT manifest", "first"]);
    await using other = await openMote({ dir: join(dir, `${tag}-pulled`) });
    await other.pull(`docker://${registry.host}/lib/pushed:${tag}`, `${join(dir, tag)}/`);
    expect((await readFile(join(dir, tag, pushed))).equals(await readFile(join(dir, pushed)))).toBe(true);
  });

  it("a push to a registry that repeatedly loses the upload fails", async () => {
    await writeFile(join(dir, pushed), randomBytes(20 << 20));
    let pieces = 0;
    // Every second chunk is stored without a response: this registry then discards the upload.
    proxy.inject(({ method }) => (method === "PATCH" && ++pieces % 2 === 0 ? "lose the response" : undefined));
    const error = await push("lost");
    expect([codeOf(error), error]).toMatchObject(["MOTE_REGISTRY", { cause: { code: "MOTE_UPLOAD_LOST" } }]);
    expect(pieces).toBe(6);
  });

  it("a push that finally fails says where, and leaves no tag and no open upload", async () => {
    await writeFile(join(dir, pushed), randomBytes(20 << 20));
    proxy.inject(({ method }) => (method === "PATCH" ? { status: 500 } : undefined));
    const error = await push("never");
    expect(codeOf(error)).toBe("MOTE_REGISTRY");
    expect(error).toMatchObject({ details: { registry: proxy.host, repository: "lib/pushed", status: 500 } });
    await expect.poll(() => proxy.requests.filter(({ method }) => method === "DELETE").length).toBeGreaterThan(0);
    proxy.inject(() => undefined);
    await using other = await openMote({ dir: join(dir, "never-pulled") });
    await expect(other.pull(`docker://${registry.host}/lib/pushed:never`)).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
    });
  });
});

function codeOf(error: unknown): unknown {
  return MoteError.isInstance(error) ? error.code : error;
}
