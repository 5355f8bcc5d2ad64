import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import {
  type ContentDestination,
  type ContentSource,
  type Descriptor,
  digestBytes,
  digestEncoded,
  MoteError,
  mediaTypes,
  parseManifest,
} from "@mote/core";
import { FileCache } from "@mote/fs";
import {
  DirDestination,
  DirSource,
  DockerArchiveDestination,
  DockerArchiveSource,
  LayoutDestination,
  LayoutSource,
  OciArchiveDestination,
  OciArchiveSource,
} from "@mote/layout";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { transfer } from "../src/index.js";
import { MemorySource } from "./memory-endpoints.js";
import { addIndex, addManifest, someBytes } from "./memory-images.js";

const run = promisify(execFile);
const hasSkopeo = (() => {
  try {
    execFileSync("skopeo", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

interface Transport {
  readonly name: string;
  readonly source: (path: string) => ContentSource;
  readonly destination: (path: string) => ContentDestination & AsyncDisposable;
  /** Its reference for skopeo. */
  readonly ref: (path: string) => string;
  readonly tag: string;
}

const tag = "docker.io/library/app:v1";
const transports: readonly Transport[] = [
  {
    name: "oci",
    source: (path) => new LayoutSource(path),
    destination: (path) => new LayoutDestination(path),
    ref: (path) => `oci:${path}:v1`,
    tag: "v1",
  },
  {
    name: "oci-archive",
    source: (path) => new OciArchiveSource(path),
    destination: (path) => new OciArchiveDestination(path),
    ref: (path) => `oci-archive:${path}:v1`,
    tag: "v1",
  },
  {
    name: "docker-archive",
    source: (path) => new DockerArchiveSource(path),
    destination: (path) => new DockerArchiveDestination(path),
    ref: (path) => `docker-archive:${path}:app:v1`,
    tag,
  },
  {
    name: "dir",
    source: (path) => new DirSource(path),
    destination: (path) => new DirDestination(path),
    ref: (path) => `dir:${path}`,
    tag: "",
  },
];

let dir: string;
let cache: FileCache;
let source: MemorySource;
let image: Descriptor;
let config: Descriptor;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "mote-transports-"));
  cache = new FileCache(join(dir, "cache"));
  await cache.initialize();
  source = new MemorySource();
  const tar = new Uint8Array(10240);
  const diffIds = [digestBytes(tar), digestBytes(tar)];
  const body = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: diffIds }, config: {} };
  config = source.addJson(body, mediaTypes.ociConfig);
  const compressed = source.add(new Uint8Array(gzipSync(tar)), mediaTypes.ociLayerGzip);
  const plain = source.add(tar, mediaTypes.ociLayer);
  image = addManifest(source, config, [compressed, plain]);
  source.tags.set("v1", image);
});

afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

async function put(transport: Transport, path: string, from: ContentSource = source, ref = "v1"): Promise<void> {
  await using destination = transport.destination(path);
  await transfer({ source: from, destination, cache, refs: [ref], tags: [transport.tag || undefined] });
}

async function layersOf(from: ContentSource, ref: string): Promise<{ config: string; layers: readonly string[] }> {
  const root = await from.resolve(ref);
  const manifest = parseManifest(await from.manifest(root), root.mediaType);
  if (manifest.kind === "index" || manifest.config === undefined) throw new Error("not an image");
  for (const blob of [manifest.config, ...manifest.layers]) {
    let bytes = 0;
    for await (const chunk of await from.blob(blob)) bytes += chunk.byteLength;
    expect(bytes).toBe(blob.size);
  }
  return { config: manifest.config.digest, layers: manifest.layers.map(({ digest }) => digest) };
}

for (const to of transports) {
  describe(`an image written to ${to.name}`, () => {
    for (const next of transports) {
      it(`can be copied to ${next.name} with the same config and layers`, async () => {
        const wanted = await layersOf(source, "v1");
        await put(to, join(dir, "first"));
        expect(await layersOf(to.source(join(dir, "first")), to.tag)).toEqual(wanted);
        await using other = new FileCache(join(dir, "other"));
        await other.initialize();
        await using destination = next.destination(join(dir, "second"));
        const from = to.source(join(dir, "first"));
        await transfer({ source: from, destination, cache: other, refs: [to.tag], tags: [next.tag || undefined] });
        expect(await layersOf(next.source(join(dir, "second")), next.tag)).toEqual(wanted);
      });
    }

    it("leaves no other files, and none if it fails", async () => {
      await put(to, join(dir, "good"));
      const [layer] = parseLayers();
      source.replacements.set(layer.digest, () => someBytes(layer.size, 5));
      await cache.removeMote(layer.digest);
      await expect(put(to, join(dir, "bad"))).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
      // A folder keeps complete content; an archive is complete or does not exist.
      const left = readdirSync(dir).sort();
      expect(left.filter((name) => name !== "bad")).toEqual(["cache", "good"]);
      if (to.name.includes("archive")) expect(left).not.toContain("bad");
      const names = left.includes("bad") ? readdirSync(join(dir, "bad"), { recursive: true }).map(String) : [];
      expect(names.filter((name) => name.includes(digestEncoded(layer.digest)))).toEqual([]);
    });

    it.skipIf(!hasSkopeo)(
      "skopeo reads, and what skopeo writes there is read here (needs Debian's skopeo)",
      async () => {
        const policy = join(dir, "policy.json");
        writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
        const path = join(dir, "ours");
        await put(to, path);
        const { stdout } = await run("skopeo", ["inspect", to.ref(path)]);
        expect(JSON.parse(stdout)).toMatchObject({ Architecture: "amd64", Os: "linux" });
        expect(JSON.parse(stdout).Layers).toHaveLength(2);
        const theirs = join(dir, "theirs");
        await run("skopeo", ["--policy", policy, "copy", "--quiet", to.ref(path), to.ref(theirs)]);
        const copied = await layersOf(to.source(theirs), to.tag);
        expect(copied.layers).toHaveLength(2);
      },
    );
  });
}

function parseLayers(): readonly [Descriptor] {
  const bytes = source.contents.get(image.digest);
  if (bytes === undefined) throw new Error("no image");
  const manifest = parseManifest(bytes, image.mediaType);
  const layer = manifest.kind === "manifest" ? manifest.layers[0] : undefined;
  if (layer === undefined) throw new Error("no layer");
  return [layer];
}

describe("an archive", () => {
  for (const to of transports.filter(({ name }) => name.endsWith("archive"))) {
    it(`(${to.name}) of the same image has the same bytes, and replaces an existing one atomically`, async () => {
      await put(to, join(dir, "one.tar"));
      await put(to, join(dir, "two.tar"));
      const first = readFileSync(join(dir, "one.tar"));
      expect(readFileSync(join(dir, "two.tar")).equals(first)).toBe(true);
      await put(to, join(dir, "one.tar"));
      expect(readFileSync(join(dir, "one.tar")).equals(first)).toBe(true);
    });
  }

  for (const to of transports.filter(({ name }) => name.endsWith("archive"))) {
    it(`(${to.name}) is read if it is compressed with gzip, and rejected if it is damaged`, async () => {
      await put(to, join(dir, "plain.tar"));
      const compressed = gzipSync(readFileSync(join(dir, "plain.tar")));
      writeFileSync(join(dir, "archive.tar.gz"), compressed);
      const from = to.source(join(dir, "archive.tar.gz"));
      expect(await layersOf(from, to.tag)).toEqual(await layersOf(source, "v1"));
      await from[Symbol.asyncDispose]?.();
      for (const damaged of [
        compressed.subarray(0, -20),
        new Uint8Array([0x28, 0xb5, 0x2f, 0xfd]),
        new Uint8Array(0),
      ]) {
        writeFileSync(join(dir, "damaged"), damaged);
        const failure = await to
          .source(join(dir, "damaged"))
          .resolve(to.tag)
          .catch((error: unknown) => error);
        expect(MoteError.isInstance(failure) && failure.code).toBe("MOTE_INVALID_ARCHIVE");
      }
    });
  }

  it("(docker-archive) rejects content that is not an image", async () => {
    const docker = transports[2];
    if (docker === undefined) throw new Error("no transport");
    source.tags.set("index", addIndex(source, [image]));
    const empty = source.addJson({}, mediaTypes.ociEmpty);
    source.tags.set("artifact", addManifest(source, empty, []));
    const elsewhere = {
      mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      digest: digestBytes(someBytes(9, 9)),
      size: 9,
      urls: ["https://example.org/layer"],
    };
    source.tags.set("elsewhere", addManifest(source, config, [elsewhere]));
    for (const ref of ["index", "artifact", "elsewhere"]) {
      const failure = await put(docker, join(dir, "x.tar"), source, ref).catch((error: unknown) => error);
      expect(MoteError.isInstance(failure) && failure.code).toBe("MOTE_UNSUPPORTED_FORMAT");
    }
    expect(readdirSync(dir)).toEqual(["cache"]);
  });

  it("that does not exist is MOTE_NOT_FOUND", async () => {
    for (const from of transports) {
      const failure = await from
        .source(join(dir, "nowhere"))
        .resolve(from.tag)
        .catch((error: unknown) => error);
      expect([from.name, MoteError.isInstance(failure) && failure.code]).toEqual([from.name, "MOTE_NOT_FOUND"]);
    }
  });

  it("(oci-archive, dir) can have an index with everything below it", async () => {
    const index = addIndex(source, [image, addManifest(source, config, [])]);
    source.tags.set("v1", index);
    for (const to of transports.filter(({ name }) => name === "oci-archive" || name === "dir")) {
      await put(to, join(dir, to.name));
      const from = to.source(join(dir, to.name));
      const root = await from.resolve(to.tag);
      expect(root.digest).toBe(index.digest);
      const manifest = parseManifest(await from.manifest(root), root.mediaType);
      if (manifest.kind !== "index") throw new Error("no index");
      for (const child of manifest.manifests) expect((await from.manifest(child)).byteLength).toBe(child.size);
    }
  });
});
