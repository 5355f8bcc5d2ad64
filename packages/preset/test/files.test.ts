import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Descriptor, localPlatform, mediaTypes, parseDigest } from "@mote/core";
import { type DockerRegistry, freePort, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawTar } from "../../layout/test/raw-tar.js";
import { type OpenMote, openMote, type RegistryServer } from "../src/index.js";
import { put, putIndex } from "./images.js";

const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));
const file = (name: string, text: string) => ({ name, flag: "0", text });
const fileLayer = (...entries: Parameters<typeof rawTar>[0]) =>
  put(origin.cache, mediaTypes.ociLayerGzip, new Uint8Array(gzipSync(rawTar(entries))));

let dir: string;
let origin: OpenMote;
let server: RegistryServer;
let layers: readonly Descriptor[];

async function putImage(architecture: string, below: readonly Descriptor[]): Promise<Descriptor> {
  const config = await put(origin.cache, mediaTypes.ociConfig, json({ os: "linux", architecture }));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: below };
  return put(origin.cache, mediaTypes.ociManifest, json(body));
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-files-"));
  origin = await openMote({ dir: join(dir, "origin") });
  layers = [
    await fileLayer(file("etc/os-release", "base"), file("usr/big", "x".repeat(100_000))),
    await fileLayer(file("etc/hosts", "middle"), file("usr/.wh.big", "")),
    await fileLayer(file("app/main", "top"), { name: "app/link", flag: "2", link: "/etc/hosts" }),
  ];
  const own = await putImage(localPlatform().architecture, layers);
  const other = await putImage("s390x", layers.slice(0, 1));
  await origin.tags.tag("app:1", own);
  await putIndex(
    origin.cache,
    ["multi:1"],
    [
      { ...other, platform: { os: "linux", architecture: "s390x" } },
      { ...own, platform: { os: "linux", architecture: localPlatform().architecture } },
    ],
  );
  server = await origin.serve({ port: await freePort() });
});

afterAll(async () => {
  await server.close();
  await origin.close();
  await rm(dir, { recursive: true, force: true });
});

const reference = (name: string) => `${server.host}:${server.port}/${name}`;

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of chunks) text += new TextDecoder().decode(chunk);
  return text;
}

describe("the files of an image", () => {
  it("are read from a registry, a layout, an archive and the cache", async () => {
    await using mote = await openMote({ dir: join(dir, "cache") });
    await mote.copy(`oci:${dir}/origin:app:1`, `docker-archive:${dir}/app.tar:app:1`);
    await mote.pull(reference("app:1"));
    await using offline = await openMote({ dir: join(dir, "cache"), offline: true });
    for (const [opener, name] of [
      [mote, reference("app:1")],
      [mote, `oci:${dir}/origin:app:1`],
      [mote, `docker-archive:${dir}/app.tar:app:1`],
      [offline, reference("app:1")],
    ] as const) {
      await using files = await opener.files(name);
      expect([name, await textOf(files.read("/app/link"))]).toEqual([name, "middle"]);
      await expect(textOf(files.read("usr/big"))).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
      const paths: string[] = [];
      for await (const { path } of files.list("/app")) paths.push(path);
      expect(paths).toEqual(["app", "app/link", "app/main"]);
    }
  });

  it("are those of the requested platform, or else of this machine's", async () => {
    await using mote = await openMote({ dir: join(dir, "platforms") });
    await using own = await mote.files(reference("multi:1"));
    expect([own.chosenPlatform, await textOf(own.read("app/main"))]).toEqual([expect.stringMatching(/^linux/), "top"]);
    await using other = await mote.files(reference("multi:1"), { platform: "linux/s390x" });
    await expect(other.find("app")).rejects.toMatchObject({ code: "MOTE_NOT_FOUND" });
    for (const [name, platform] of [
      ["multi:1", "linux/riscv64"],
      ["app:1", "linux/s390x"],
    ] as const) {
      await expect(mote.files(reference(name), { platform })).rejects.toMatchObject({ code: "MOTE_NO_PLATFORM" });
    }
  });

  it("are written into a folder under the last names of their paths", async () => {
    await using mote = await openMote({ dir: join(dir, "placing") });
    await using files = await mote.files(reference("app:1"));
    await files.place(["/app/../etc/os-release", "app/"], join(dir, "out"));
    expect((await readdir(join(dir, "out"), { recursive: true })).sort()).toEqual(["app", "app/main", "os-release"]);
    expect(await readFile(join(dir, "out/os-release"), "utf8")).toBe("base");
    const twice = files.place(["etc/hosts", "./etc/hosts"], join(dir, "out"));
    await expect(twice).rejects.toMatchObject({ code: "MOTE_INVALID_NAME" });
    await expect(files.place(["/", "etc"], join(dir, "out"))).rejects.toMatchObject({ code: "MOTE_INVALID_NAME" });
  });

  it("are unpacked into an empty folder, and the image is in the cache", async () => {
    await using mote = await openMote({ dir: join(dir, "unpacking"), registries: { retries: 0 } });
    const to = join(dir, "rootfs");
    const { placed, platform } = await mote.unpack(reference("multi:1"), to);
    expect(platform).toMatch(/^linux/);
    expect(placed).toMatchObject({ files: 3, links: 1, skipped: [] });
    expect(await readFile(join(to, "app/link"), "utf8")).toBe("middle");
    expect((await readdir(join(to, "usr"))).length).toBe(0);
    await server.close();
    await expect(mote.unpack(reference("multi:1"), to)).rejects.toMatchObject({ code: "MOTE_EXISTS" });
    await mote.unpack(reference("multi:1"), to, { overwrite: true, platform });
    server = await origin.serve({ port: server.port });
  });

  it("are rejected for an artifact", async () => {
    const empty = await put(origin.cache, mediaTypes.ociEmpty, json({}));
    const body = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: "a/b",
      config: empty,
      layers: [empty],
    };
    const artifact = await put(origin.cache, mediaTypes.ociManifest, json(body));
    await expect(origin.files(artifact.digest)).rejects.toMatchObject({ code: "MOTE_NOT_FILES" });
  });
});

const noRegistry = needs("docker-registry");
describe.skipIf(noRegistry !== "")(`a file of an image on a docker-registry${noRegistry}`, () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await startDockerRegistry();
    await origin.copy(`oci:${dir}/origin:app:1`, `docker://${registry.host}/app:1`);
  });
  afterAll(() => registry.stop());

  const blobs = async () =>
    (await registry.requests()).filter((line) => line.startsWith("GET") && line.includes("/blobs/"));
  const digestsOf = (lines: readonly string[]) => lines.map((line) => line.slice(line.indexOf("sha256:")));

  it("is read from the top layer without fetching the others, and each layer is fetched once", async () => {
    await using mote = await openMote({ dir: join(dir, "counted") });
    const get = async (path: string) => {
      const before = (await blobs()).length;
      await using files = await mote.files(`${registry.host}/app:1`);
      const text = await textOf(files.read(path));
      return { text, fetched: digestsOf((await blobs()).slice(before)) };
    };
    const [base, middle, top] = layers.map(({ digest }) => digest);
    expect(await get("/app/main")).toEqual({ text: "top", fetched: [top] });
    expect(await get("/app/link")).toEqual({ text: "middle", fetched: [middle] });
    expect(await get("etc/os-release")).toEqual({ text: "base", fetched: [base] });
    expect(await get("etc/os-release")).toEqual({ text: "base", fetched: [] });
    expect(await mote.locate(layers[2]?.digest ?? parseDigest(""))).toEqual([`${registry.host}/app:latest`]);
  });
});
