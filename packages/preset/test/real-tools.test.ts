import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { needs } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawTar } from "../../layout/test/raw-tar.js";
import { type OpenMote, openMote, verifyArchive } from "../src/index.js";
import { put } from "./images.js";

const run = promisify(execFile);
const names = ["images.example/team/app:1", "images.example/team/app:2", "images.example/tools:1"] as const;
const [first, second] = names;

let dir: string;
let mote: OpenMote;
/** `127.0.0.1:PORT` of a registry that has the images and takes pushes. */
let host: string;
let digests: ReadonlyMap<string, string>;
let close: () => Promise<void>;
const at = (name: string) => join(dir, name);

/** The layer of an image that no other one has. */
const ownLayer = (name: string) => rawTar([{ name: "etc/name", flag: "0", text: name }]);

async function putImages(): Promise<Map<string, string>> {
  const json = (body: object) => new TextEncoder().encode(JSON.stringify(body));
  const shared = await put(mote.cache, mediaTypes.ociLayer, rawTar([{ name: "etc/shared", flag: "0", text: "1" }]));
  const found = new Map<string, string>();
  for (const name of names) {
    const layers: Descriptor[] = [shared, await put(mote.cache, mediaTypes.ociLayer, ownLayer(name))];
    const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
    const parts = { os: "linux", architecture: "amd64", config: {}, rootfs };
    const config = await put(mote.cache, mediaTypes.ociConfig, json(parts));
    const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
    const manifest = await put(mote.cache, mediaTypes.ociManifest, json(body));
    await mote.tags.tag(name, manifest);
    found.set(name, manifest.digest);
  }
  return found;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-tools-"));
  mote = await openMote({ dir: at("cache") });
  digests = await putImages();
  await mote.sync(`oci:${at("cache")}`, `oci-archive:${at("all.tar")}`);
  for (const name of names) await mote.pull(`oci:${at("cache")}:${name}`, `docker-archive:${at("docker.tar")}:${name}`);
  await mote.pull(`oci:${at("cache")}:${first}`, `oci:${at("layout")}:1`);
  const policy = { default: [{ type: "insecureAcceptAnything" }] };
  await writeFile(at("policy.json"), JSON.stringify(policy));
  const storage = ["[storage]", 'driver = "vfs"', `graphroot = "${at("storage")}"`, `runroot = "${at("running")}"`];
  await writeFile(at("storage.conf"), storage.join("\n"));
  const served = await openMote({ dir: at("served") });
  const server = await served.serve({ push: true, graceMs: 0 });
  host = `${server.host}:${server.port}`;
  await mote.sync(`oci-archive:${at("all.tar")}`, `docker://${host}`);
  close = async () => {
    await server.close();
    await served.close();
  };
});
afterAll(async () => {
  await close?.();
  await mote?.close();
  await rm(dir, { recursive: true, force: true });
});

/** Runs a tool in the folder of the test, which also has its settings, credentials and images. Returns what it prints. */
async function tool(program: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: dir, TMPDIR: dir, CONTAINERS_STORAGE_CONF: at("storage.conf") };
  return (await run(program, args, { cwd: dir, env })).stdout.trim();
}

async function digestOf(reference: string): Promise<string | undefined> {
  return (await mote.inspect(reference)).digest;
}

const withoutSkopeo = needs("skopeo");

describe.skipIf(withoutSkopeo !== "")(`skopeo${withoutSkopeo}`, () => {
  it.each(["oci-archive:all.tar", "docker-archive:docker.tar"])("copies each image of %s by its name", async (from) => {
    for (const name of names) {
      await tool("skopeo", "--policy", "policy.json", "copy", `${from}:${name}`, `dir:${at("copied")}`);
      const manifest = JSON.parse(await readFile(at("copied/manifest.json"), "utf8"));
      const config = JSON.parse(await readFile(at(`copied/${manifest.config.digest.slice(7)}`), "utf8"));
      expect(config.rootfs.diff_ids[1]).toBe(digestBytes(ownLayer(name)));
    }
  });
});

// Without root, podman needs more than its package.
const withoutPodman = process.getuid?.() === 0 ? needs("podman") : " (SKIPPED: run the tests as root)";

describe.skipIf(withoutPodman !== "")(`podman${withoutPodman}`, () => {
  const images = async () => (await tool("podman", "images", "--format={{.Repository}}:{{.Tag}}")).split("\n").sort();
  const quiet = ["-q", "--signature-policy=policy.json"];

  it("loads all images of a docker-archive, and pulls each image of an oci-archive by its name", async () => {
    await tool("podman", "load", ...quiet, "-i", "docker.tar");
    expect(await images()).toEqual(names);
    await tool("podman", "rmi", "-af");
    for (const name of names) await tool("podman", "pull", ...quiet, `oci-archive:all.tar:${name}`);
    expect(await images()).toEqual(names);
  });

  it("pulls from mote serve, and pushes to it", async () => {
    const flags = [...quiet, "--tls-verify=false"];
    await tool("podman", "pull", ...flags, `${host}/team/app:1`);
    await tool("podman", "push", ...flags, `${host}/team/app:1`, `${host}/podman:1`);
    expect(await digestOf(`docker://${host}/podman:1`)).toMatch(/^sha256:/);
  });

  it("builds from a cache in mote serve that another store has left there", async () => {
    await mkdir(at("context"));
    await writeFile(at("context/Dockerfile"), "FROM scratch\nCOPY Dockerfile /one\nCOPY Dockerfile /two\n");
    const caches = ["--layers", `--cache-to=${host}/steps`, `--cache-from=${host}/steps`];
    const flags = ["--isolation=chroot", "--tls-verify=false", "--signature-policy=policy.json", ...caches];
    await tool("podman", "build", ...flags, "context");
    const stores = [`--root=${at("other")}`, `--runroot=${at("other-running")}`];
    const progress = await tool("podman", ...stores, "build", ...flags, "context");
    expect(progress.match(/Cache pulled from remote/g)).toHaveLength(2);
  });
});

/** How each tool pushes the image of a layout, and pulls one into a layout. */
const copies = {
  crane: {
    push: () => ["push", "--insecure", "layout", `${host}/crane:1`],
    pull: () => ["pull", "--insecure", "--format=oci", `${host}/team/app:2`, "crane"],
  },
  oras: {
    push: () => ["cp", "--from-oci-layout", "layout:1", "--to-plain-http", `${host}/oras:1`],
    pull: () => ["cp", "--from-plain-http", `${host}/team/app:2`, "--to-oci-layout", "oras:2"],
  },
  regctl: {
    push: () => [`--host=reg=${host},tls=disabled`, "image", "copy", "ocidir://layout:1", `${host}/regctl:1`],
    pull: () => [`--host=reg=${host},tls=disabled`, "image", "copy", `${host}/team/app:2`, "ocidir://regctl:2"],
  },
};

describe.each(Object.entries(copies).map(([program, { push, pull }]) => ({ program, push, pull })))(
  "$program",
  ({ program, push, pull }) => {
    const missing = needs(program);

    it.skipIf(missing !== "")(
      `pushes an image of a layout to mote serve, and pulls one from it${missing}`,
      async () => {
        await tool(program, ...push());
        expect(await digestOf(`docker://${host}/${program}:1`)).toBe(digests.get(first));
        await tool(program, ...pull());
        expect(await digestOf(`oci:${at(program)}@${digests.get(second)}`)).toBe(digests.get(second));
        expect(await verifyArchive(`oci:${at(program)}`)).toMatchObject({ images: 1, damaged: [], missing: [] });
      },
    );
  },
);
