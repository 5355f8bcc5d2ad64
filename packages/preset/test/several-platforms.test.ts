import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes } from "@mote/core";
import { type DockerRegistry, isInstalled, needs, startDockerRegistry } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OpenMote, openMote, type RegistryServer } from "../src/index.js";
import { putImage, putIndex } from "./images.js";

const canPush = isInstalled("docker-registry");
const platforms = ["linux/amd64", "linux/s390x"];
let root: string;
let upstream: OpenMote;
let server: RegistryServer;
let mote: OpenMote;
let index: Descriptor;
let entries: Descriptor[];
let source: string;
let name: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-platforms-"));
  upstream = await openMote({ dir: join(root, "upstream") });
  entries = [];
  for (const architecture of ["amd64", "arm64", "s390x"]) {
    const { manifest } = await putImage(upstream.cache, [], { [architecture]: 10 }, { annotations: { architecture } });
    entries.push({ ...manifest, platform: { os: "linux", architecture } });
  }
  index = await putIndex(upstream.cache, ["lib/app:1"], entries);
  server = await upstream.serve();
  name = `${server.host}:${server.port}/lib/app:1`;
  source = `docker://${name}`;
  mote = await openMote({ dir: join(root, "cache"), registries: { retries: 0 } });
});

afterEach(async () => {
  await mote.close();
  await server.close();
  await upstream.close();
  await rm(root, { recursive: true, force: true });
});

describe("several platforms", () => {
  it("go into a layout with the image's own index, and the others are reported as missing", async () => {
    const report = await mote.pull(source, `oci:${root}/layout:1`, { platform: platforms });
    const layout = join(root, "layout");
    const listed = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests[0];
    expect(listed.digest).toBe(index.digest);
    const has = ({ digest }: Descriptor) => {
      try {
        return readFileSync(join(layout, "blobs", digest.replace(":", "/"))).byteLength > 0;
      } catch {
        return false;
      }
    };
    expect(entries.map(has)).toEqual([true, false, true]);
    expect(report.warnings.join()).toContain("linux/arm64");
    expect((await mote.tags.resolve(name))?.digest).toBe(index.digest);
  });

  it("are an error if one of them does not exist", async () => {
    const pulling = mote.pull(source, `oci:${root}/layout:1`, { platform: ["linux/amd64", "linux/riscv64"] });
    await expect(pulling).rejects.toMatchObject({ code: "MOTE_NO_PLATFORM" });
  });

  it("are an error with a directory for files", async () => {
    await expect(mote.pull(source, join(root, "files"), { platform: platforms })).rejects.toMatchObject({
      code: "MOTE_NO_PLATFORM",
    });
  });
});

describe.skipIf(!canPush)(`several platforms${needs("docker-registry")}`, () => {
  let registry: DockerRegistry;
  beforeEach(async () => {
    registry = await startDockerRegistry();
  });
  afterEach(() => registry.stop());

  it("go into a registry with a new index of these images, and it is said", async () => {
    const report = await mote.copy(source, `docker://${registry.host}/lib/app:2`, { platform: platforms });
    const response = await fetch(`http://${registry.host}/v2/lib/app/manifests/2`, {
      headers: { accept: index.mediaType },
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(JSON.parse(new TextDecoder().decode(bytes)).manifests).toEqual([entries[0], entries[2]]);
    expect(report.refs[0]?.descriptor.digest).toBe(digestBytes(bytes));
    expect(report.warnings.join()).toContain(`the registry has a new index of ${platforms.join(", ")}`);
    expect((await mote.tags.resolve(name))?.digest).toBe(index.digest);
  });
});
