import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, type Logger, silentLogger } from "@mote/core";
import { openMote } from "@mote/preset";
import { type ChaosProxy, type DockerRegistry, needs, startChaosProxy, startDockerRegistry } from "@mote/testbed";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

const wanted = needs("docker-registry");

describe.skipIf(wanted !== "")(`a registry with a mirror${wanted}`, () => {
  let dir: string;
  let registry: DockerRegistry;
  let mirror: ChaosProxy;
  let tests = 0;
  let bytes: Uint8Array;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-mirrors-"));
    registry = await startDockerRegistry();
    bytes = randomBytes(3_000_000);
    await writeFile(join(dir, "model.bin"), bytes);
    await using origin = await openMote({ dir: join(dir, "origin") });
    await origin.pushFiles([{ path: join(dir, "model.bin") }], `docker://${registry.host}/lib/model:1`);
  });
  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    mirror = await startChaosProxy(registry.host);
    tests += 1;
  });
  afterEach(async () => {
    await mirror[Symbol.asyncDispose]();
  });

  /** Opens the cache of this test, with a mirror for `host`. */
  async function open(host = registry.host) {
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => warnings.push(message) };
    const registries = { mirrors: { [host]: [mirror.host] }, retries: 1 };
    return { mote: await openMote({ dir: join(dir, `cache-${tests}`), registries, logger }), warnings };
  }
  const isLayer = ({ url, method }: { url: string; method: string }) => method === "GET" && url.includes("/blobs/");
  const isComplete = async (folder: string) => (await readFile(join(folder, "model.bin"))).equals(bytes);

  it("is not contacted if the mirror has the image, which keeps the registry's name", async () => {
    // No registry listens there.
    const host = "127.0.0.1:9";
    const { mote, warnings } = await open(host);
    await using _ = mote;
    await mote.pull(`docker://${host}/lib/model:1`, `${join(dir, "one")}/`);
    expect(await isComplete(join(dir, "one"))).toBe(true);
    const names: string[] = [];
    for await (const { name } of mote.tags.list()) names.push(name);
    expect(names).toEqual([`${host}/lib/model:1`]);
    expect(mirror.requests.every(({ url }) => url.endsWith(`?ns=${encodeURIComponent(host)}`))).toBe(true);
    expect(warnings).toEqual([]);
    // Only the verified location is recorded.
    expect(await mote.locate(digestBytes(bytes))).toEqual([`${mirror.host}/lib/model:1`]);
  });

  it("supplies content that the mirror corrupts, for a directory and another registry", async () => {
    mirror.inject((asked) => (isLayer(asked) ? { flipAt: 1_000 } : undefined));
    const { mote, warnings } = await open();
    await using _ = mote;
    await mote.pull(`docker://${registry.host}/lib/model:1`, `${join(dir, "two")}/`);
    expect(await isComplete(join(dir, "two"))).toBe(true);
    expect(warnings.filter((line) => line.includes(mirror.host))).toHaveLength(1);

    await using other = await startDockerRegistry();
    mirror.inject((asked) => (isLayer(asked) ? { flipAt: 2_999_999 } : undefined));
    tests += 1;
    const { mote: second } = await open();
    await using __ = second;
    await second.pull(`docker://${registry.host}/lib/model:1`, `docker://${other.host}/copied/model:1`);
    await using third = await openMote({ dir: join(dir, `cache-${tests}-other`) });
    await third.pull(`docker://${other.host}/copied/model:1`, `${join(dir, "three")}/`);
    expect(await isComplete(join(dir, "three"))).toBe(true);
  });

  it("supplies the rest if the mirror fails, and nothing twice", async () => {
    mirror.inject((asked) => (isLayer(asked) ? { cutAfter: asked.attempt === 0 ? 1_000_000 : 0 } : undefined));
    const { mote } = await open();
    await using _ = mote;
    const before = (await registry.requests()).length;
    await mote.pull(`docker://${registry.host}/lib/model:1`, `${join(dir, "four")}/`);
    expect(await isComplete(join(dir, "four"))).toBe(true);
    const straight = (await registry.requests()).slice(before).filter((line) => !line.includes("?ns="));
    expect(straight.filter((line) => line.startsWith("GET") && line.includes("/blobs/"))).toHaveLength(1);
  });

  it("is the target of a push", async () => {
    const { mote } = await open();
    await using _ = mote;
    await mote.pushFiles([{ path: join(dir, "model.bin") }], `docker://${registry.host}/lib/pushed:1`);
    expect(mirror.requests).toEqual([]);
  });
});
