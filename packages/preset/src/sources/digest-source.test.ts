import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Image, put, putImage, putIndex } from "../../test/images.js";
import { type OpenMote, openMote, type RegistryServer } from "../index.js";

let root: string;
let upstream: OpenMote;
let server: RegistryServer;
let requests: string[];
let mote: OpenMote;
let image: Image;
let source: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-digest-"));
  upstream = await openMote({ dir: join(root, "upstream") });
  image = await putImage(upstream.cache, ["lib/app:1"], { a: 10, b: 2000 });
  requests = [];
  server = await upstream.serve({ port: await freePort(), onRequest: ({ path }) => requests.push(path) });
  source = `docker://${server.host}:${server.port}/lib/app:1`;
  mote = await openMote({ dir: join(root, "cache"), registries: { retries: 0 } });
});

afterEach(async () => {
  await mote.close();
  await server.close();
  await upstream.close();
  await rm(root, { recursive: true, force: true });
});

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
const digestIn = async (layout: string) =>
  JSON.parse(await readFile(join(root, layout, "index.json"), "utf8")).manifests[0].digest;

describe("a digest as source", () => {
  it("is that content in the cache, without a request", async () => {
    await mote.pull(source);
    requests.length = 0;
    const { digest } = image.manifest;
    for (const [name, text] of Object.entries({
      whole: digest,
      prefix: digest.slice(0, 13),
      hash: `hash://${digest.replace(":", "/")}`,
    })) {
      await mote.pull(text, `oci:${root}/${name}:x`);
      expect(await digestIn(name)).toBe(digest);
    }
    expect(requests).toEqual([]);
  });

  it("is found where it was seen, with everything that it refers to", async () => {
    const report = await mote.pull(source);
    await mote.cache.prune(0);
    expect(await mote.cache.moteExists(image.manifest.digest)).toBe(false);
    const again = await mote.pull(image.manifest.digest);
    expect(again.fetched).toEqual(report.fetched);
    expect(requests.every((path) => path.startsWith("/v2/lib/app/") || path === "/v2/")).toBe(true);
    const names: string[] = [];
    for await (const { name } of mote.tags.list()) names.push(name);
    expect(names).toEqual([]);
  });

  it("is found in a layout to which it was written", async () => {
    await mote.pull(source, `oci:${root}/layout:1`);
    await server.close();
    await mote.cache.prune(0);
    await mote.pull(image.manifest.digest, `oci:${root}/copy:2`);
    expect(await digestIn("copy")).toBe(image.manifest.digest);
  });

  it("of a platform in a cached index is found where the index came from", async () => {
    const other = await putImage(upstream.cache, [], { c: 30 });
    await putIndex(
      upstream.cache,
      ["lib/app:1"],
      [
        { ...image.manifest, platform: { os: "linux", architecture: "amd64" } },
        { ...other.manifest, platform: { os: "linux", architecture: "arm64" } },
      ],
    );
    await mote.pull(source, undefined, { platform: "linux/amd64" });
    await mote.pull(other.manifest.digest);
    expect(await mote.cache.moteExists(other.layers[0]?.digest ?? other.config.digest)).toBe(true);
  });

  it("that is not known is not found, and no registry is contacted", async () => {
    const unknown = `sha256:${"0".repeat(64)}`;
    expect(await failureOf(mote.pull(unknown))).toMatchObject({ code: "MOTE_NOT_FOUND" });
    expect(await failureOf(mote.pull("sha256:000000"))).toMatchObject({ code: "MOTE_NOT_FOUND" });
    expect(await failureOf(mote.pull("sha256:0000"))).toMatchObject({ code: "MOTE_INVALID_DIGEST" });
    expect(await failureOf(mote.pull("sha256:latest"))).toMatchObject({ code: "MOTE_INVALID_REFERENCE" });
    expect(requests).toEqual([]);
  });

  it("of a blob is rejected with that reason", async () => {
    const blob = await put(mote.cache, "application/octet-stream", new Uint8Array(5_000_000));
    await mote.pull(source);
    for (const { digest } of [blob, ...image.layers, image.config]) {
      expect(await failureOf(mote.pull(digest, `oci:${root}/x:1`))).toMatchObject({ code: "MOTE_INVALID_MANIFEST" });
    }
  });

  it("of a damaged image is downloaded again from where it was seen", async () => {
    await mote.pull(source);
    await writeFile(mote.cache.moteRef(image.manifest.digest), "damaged");
    await mote.pull(image.manifest.digest, `oci:${root}/again:1`);
    expect(await digestIn("again")).toBe(image.manifest.digest);
  });
});

describe("a destination of pull", () => {
  it.each(["build/app", "models", "app:1", "docker.io/build/app:1", "127.0.0.1:5000/app", `sha256:${"0".repeat(64)}`])(
    "%s is refused before anything is asked",
    async (destination) => {
      expect(await failureOf(mote.pull(source, destination))).toMatchObject({ code: "MOTE_INVALID_REFERENCE" });
      expect(requests).toEqual([]);
    },
  );

  it("that is ambiguous is an error that names both meanings", async () => {
    const message = String(await failureOf(mote.pull(source, "build/app")));
    expect(message).toContain("docker://build/app");
    expect(message).toContain("./build/app/");
  });

  it("may be a registry without a transport for copy", async () => {
    await expect(mote.copy(source, `${server.host}:${server.port}/lib/other:1`)).rejects.toMatchObject({
      details: { repository: "lib/other" },
    });
    expect(await failureOf(mote.copy(source, `sha256:${"0".repeat(64)}`))).toMatchObject({
      code: "MOTE_INVALID_REFERENCE",
    });
  });
});

it("that is a relative path is recorded as an absolute location", async () => {
  await mote.locator.recordLayerSource(image.manifest, "oci:build/app:1.0");
  await mote.locator.recordLayerSource(image.manifest, "docker://registry.example/app:1.0");
  expect(await mote.locate(image.manifest.digest)).toEqual([
    "registry.example/app:1.0",
    `oci:${join(process.cwd(), "build/app")}:1.0`,
  ]);
});
