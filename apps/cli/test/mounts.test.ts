import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, readMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDemoImage } from "../src/demo-image.js";
import { runMote } from "./run-mote.js";

const wanted = needs("docker-registry");

describe.skipIf(wanted !== "")(`blobs that a registry has in another repository${wanted}`, () => {
  let dir: string;
  let registry: DockerRegistry;
  let image: Descriptor;
  let blobs: readonly Descriptor[];
  const at = (name: string) => `docker://${registry.host}/${name}:1`;
  const local = () => `oci:${join(dir, "origin")}:1`;

  /** Runs the command in a process, and returns the requests at the registry. */
  async function mote(cache: string, ...args: string[]): Promise<string[]> {
    const before = (await registry.requests()).length;
    const ended = await runMote(["--cache", join(dir, cache), ...args]);
    expect(ended).toMatchObject({ status: 0 });
    return (await registry.requests()).slice(before);
  }

  const mountsFrom = (requests: readonly string[], name: string) =>
    requests.filter((line) => line.startsWith("POST ") && line.includes("mount=") && line.endsWith(`from=${name}`));
  const sent = (requests: readonly string[]) =>
    requests.filter((line) => /^(?:PATCH|PUT) .*\/blobs\/uploads\//.test(line));
  const read = (requests: readonly string[]) => requests.filter((line) => /^GET .*\/blobs\//.test(line));

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-mounts-"));
    registry = await startDockerRegistry();
    await using origin = await openMote({ dir: join(dir, "origin") });
    image = await makeDemoImage(origin.cache);
    await origin.tags.tag("1", image);
    const manifest = JSON.parse(
      new TextDecoder().decode(await readMote(origin.cache, image.digest, { maxBytes: 1e6 })),
    );
    blobs = [manifest.config, ...manifest.layers];
  }, 60_000);

  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("are mounted from where an earlier process pushed them, even with another source", async () => {
    expect(sent(await mote("cache", "push", local(), at("first"))).length).toBeGreaterThanOrEqual(blobs.length);
    const second = await mote("cache", "push", local(), at("second"));
    expect(mountsFrom(second, "first")).toHaveLength(blobs.length);
    expect(sent(second)).toEqual([]);
  });

  it("are copied within the registry without reading or sending a byte, even with an empty blob-info cache", async () => {
    const requests = await mote("fresh", "copy", at("first"), at("copied"));
    expect(mountsFrom(requests, "first")).toHaveLength(blobs.length);
    expect([...read(requests), ...sent(requests)]).toEqual([]);
  });

  it("are uploaded if the mount is rejected, and that repository is not tried again", async () => {
    await mote("other", "push", local(), at("gone"));
    for (const { digest } of blobs) {
      const answer = await fetch(`http://${registry.host}/v2/gone/blobs/${digest}`, { method: "DELETE" });
      expect(answer.status).toBe(202);
    }
    const refused = await mote("other", "push", local(), at("third"));
    expect(mountsFrom(refused, "gone")).toHaveLength(blobs.length);
    expect(sent(refused).length).toBeGreaterThanOrEqual(blobs.length);
    const located = await runMote(["--cache", join(dir, "other"), "locate", blobs[0]?.digest ?? ""]);
    expect(located.stdout).not.toContain("/gone");
    const fourth = await mote("other", "push", local(), at("fourth"));
    expect([mountsFrom(fourth, "gone"), mountsFrom(fourth, "third").length]).toEqual([[], blobs.length]);
    expect(sent(fourth)).toEqual([]);
  });
});
