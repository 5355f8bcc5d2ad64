import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Descriptor } from "@mote/core";
import { openMote } from "@mote/preset";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDemoImage } from "../src/demo-image.js";
import { run, runMote } from "./run-mote.js";

const wanted = needs("docker-registry", "skopeo");

describe.skipIf(wanted !== "")(`with docker-registry and skopeo${wanted}`, () => {
  let dir: string;
  let image: Descriptor;
  let registry: DockerRegistry;
  let source: string;
  const cache = () => join(dir, "cache");
  const layout = (name: string) => join(dir, name);
  const skopeo = async (...args: string[]) => {
    const ended = await run("skopeo", ["--insecure-policy", ...args]);
    if (ended.status !== 0) throw new Error(`skopeo ${args.join(" ")}: ${ended.stderr}`);
    return ended.stdout;
  };
  const pull = (...args: string[]) => runMote(["pull", "--json", "--cache", cache(), ...args]);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-real-parts-"));
    registry = await startDockerRegistry();
    source = `docker://${registry.host}/lib/tools:1`;
    await using origin = await openMote({ dir: join(dir, "origin") });
    image = await makeDemoImage(origin.cache);
    await origin.tags.tag("1", image);
    await origin.cache.update();
    await skopeo("copy", "--dest-tls-verify=false", `oci:${join(dir, "origin")}:1`, source);
  }, 120_000);

  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("an image pushed by skopeo is pulled through the cache into a layout that skopeo reads", async () => {
    const ended = await pull(source, `oci:${layout("cold")}:1`);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(ended.stdout).refs[0].descriptor.digest).toBe(image.digest);
    const inspected = JSON.parse(await skopeo("inspect", `oci:${layout("cold")}:1`));
    expect(inspected.Digest).toBe(image.digest);
    await skopeo("copy", `oci:${layout("cold")}:1`, `dir:${layout("copied")}`);
    const manifest = JSON.parse(await readFile(join(layout("copied"), "manifest.json"), "utf8"));
    for (const { digest, size } of manifest.layers) {
      expect((await stat(join(layout("copied"), digest.split(":")[1]))).size).toBe(size);
    }
  });

  it("a second pull requests no blob, and links cached blobs", async () => {
    const before = (await registry.requests()).length;
    const ended = await pull(source, `oci:${layout("warm")}:1`);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    const requests = (await registry.requests()).slice(before);
    expect(requests.length).toBeGreaterThan(0);
    expect(requests.filter((line) => line.includes("/blobs/"))).toEqual([]);
    const { layers, config } = JSON.parse(await readFile(blobPath(layout("warm"), image.digest), "utf8"));
    for (const { digest } of [config, ...layers]) {
      const [kept, linked] = [await stat(blobPath(cache(), digest)), await stat(blobPath(layout("warm"), digest))];
      expect([digest, linked.ino]).toEqual([digest, kept.ino]);
    }
  });

  it("skopeo uses the blobs directory of the cache as a shared blob directory", async () => {
    const bare = layout("bare");
    await pull(source, `oci:${bare}:1`);
    await rm(join(bare, "blobs"), { recursive: true });
    const shared = join(cache(), "blobs");
    await skopeo("copy", "--src-shared-blob-dir", shared, `oci:${bare}:1`, `dir:${layout("from-shared")}`);
    expect(await readdir(layout("from-shared"))).toContain("manifest.json");
  });

  it("skopeo reads from the served cache as from any registry", async () => {
    await using mote = await openMote({ dir: cache() });
    await using server = await mote.serve({ port: 0 });
    const text = await skopeo("inspect", "--tls-verify=false", `docker://127.0.0.1:${server.port}/lib/tools:1`);
    expect(JSON.parse(text).Digest).toBe(image.digest);
    const to = `dir:${layout("from-served")}`;
    await skopeo("copy", "--src-tls-verify=false", `docker://127.0.0.1:${server.port}/lib/tools:1`, to);
  });

  it("a layout is pushed to a registry, and copied within it without sending blobs", async () => {
    const pushed = `docker://${registry.host}/pushed/tools:1`;
    const copied = `docker://${registry.host}/copied/tools:2`;
    expect(await runMote(["push", "--cache", cache(), `oci:${layout("cold")}:1`, pushed])).toMatchObject({ status: 0 });
    expect(JSON.parse(await skopeo("inspect", "--tls-verify=false", pushed)).Digest).toBe(image.digest);
    const before = (await registry.requests()).length;
    expect(await runMote(["copy", "--cache", cache(), pushed, copied])).toMatchObject({ status: 0 });
    const requests = (await registry.requests()).slice(before);
    expect(requests.filter((line) => /^(GET|PUT|PATCH) .*\/blobs\//.test(line))).toEqual([]);
    expect(JSON.parse(await skopeo("inspect", "--tls-verify=false", copied)).Digest).toBe(image.digest);
  });

  it("an absent tag and an absent repository are an error of one line that names them, and leave nothing", async () => {
    for (const text of [`docker://${registry.host}/lib/tools:absent`, `docker://${registry.host}/no/such:1`]) {
      const ended = await pull(text, `oci:${layout("absent")}:1`);
      expect(ended.status).toBe(1);
      expect(JSON.parse(ended.stderr).error.code).toBe("MOTE_NOT_FOUND");
      expect(await exists(layout("absent"))).toBe(false);
    }
  });

  it.skipIf(needs("htpasswd") !== "")(
    `credentials come from Docker's config.json; wrong ones are refused${needs("htpasswd")}`,
    async () => {
      await using locked = await startDockerRegistry({ login: { username: "someone", password: "right" } });
      const target = `docker://${locked.host}/lib/tools:1`;
      await skopeo("copy", "--dest-tls-verify=false", "--dest-creds=someone:right", `oci:${layout("cold")}:1`, target);
      const withPassword = async (password: string) => {
        const auth = Buffer.from(`someone:${password}`).toString("base64");
        await writeFile(join(dir, "config.json"), JSON.stringify({ auths: { [locked.host]: { auth } } }));
        return runMote(
          ["pull", "--json", "--cache", join(dir, `cache-${password}`), target, `oci:${layout(password)}:1`],
          {
            env: { DOCKER_CONFIG: dir },
          },
        );
      };
      expect(await withPassword("right")).toMatchObject({ status: 0, stderr: "" });
      const refused = await withPassword("wrong");
      expect(refused.status).toBe(1);
      expect(JSON.parse(refused.stderr).error.code).toBe("MOTE_UNAUTHORIZED");
      expect(refused.stderr).not.toContain("wrong");
      expect(await exists(layout("wrong"))).toBe(false);
    },
  );

  it("a pulled image is pulled from the cache if the registry is unreachable", async () => {
    const gone = await startDockerRegistry();
    const target = `docker://${gone.host}/lib/tools:1`;
    await skopeo("copy", "--dest-tls-verify=false", `oci:${layout("cold")}:1`, target);
    expect((await pull(target)).status).toBe(0);
    await gone.stop();
    const ended = await pull(target, `oci:${layout("offline")}:1`);
    expect(ended.status).toBe(0);
    expect(JSON.parse(await skopeo("inspect", `oci:${layout("offline")}:1`)).Digest).toBe(image.digest);
  });
});

function blobPath(folder: string, digest: string): string {
  return join(folder, "blobs", ...digest.split(":"));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
