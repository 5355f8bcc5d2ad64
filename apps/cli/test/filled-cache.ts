import { randomBytes } from "node:crypto";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, type MoteCache, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { type DockerRegistry, startDockerRegistry } from "@mote/testbed";
import { expect } from "vitest";
import { type Ended, runMote } from "./run-mote.js";

const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));

async function put(cache: MoteCache, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestBytes(bytes);
  await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

export interface PushedImage {
  readonly manifest: Descriptor;
  readonly layers: readonly Descriptor[];
}

async function putImage(cache: MoteCache, layers: readonly Descriptor[], fields: object = {}): Promise<PushedImage> {
  const config = await put(cache, mediaTypes.ociConfig, json({ os: "linux", architecture: "amd64", n: layers.length }));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers, ...fields };
  return { manifest: await put(cache, mediaTypes.ociManifest, json(body)), layers };
}

interface PushedImages {
  readonly tools1: PushedImage;
  readonly tools2: PushedImage;
  readonly index: Descriptor;
  readonly arm: PushedImage;
  readonly signature: Descriptor;
}

async function pushImages(dir: string, registry: DockerRegistry): Promise<PushedImages> {
  const origin = join(dir, "origin");
  await using from = await openMote({ dir: origin });
  const layer = (size: number) => put(from.cache, mediaTypes.ociLayerGzip, randomBytes(size));
  const base = await layer(30_000);
  const annotations = { "org.opencontainers.image.version": "1.0.0" };
  const tools1 = await putImage(from.cache, [base, await layer(8_000)], { annotations });
  const tools2 = await putImage(from.cache, [base, await layer(9_000), await layer(1_000)]);
  const amd = await putImage(from.cache, [base]);
  const arm = await putImage(from.cache, [await layer(20_000), await layer(1), await layer(2), await layer(3)]);
  const manifests = [
    { ...amd.manifest, platform: { os: "linux", architecture: "amd64" } },
    { ...arm.manifest, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
  ];
  const index = await put(from.cache, mediaTypes.ociIndex, json({ schemaVersion: 2, manifests }));
  const config = await put(from.cache, mediaTypes.ociEmpty, json({}));
  const layers = [await layer(100)];
  const artifact = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, artifactType: "application/vnd.acme.sig" };
  const signature = await put(
    from.cache,
    mediaTypes.ociManifest,
    json({ ...artifact, config, layers, subject: index }),
  );
  const tags = { t1: tools1.manifest, t2: tools2.manifest, app: index, sig: signature };
  for (const [tag, descriptor] of Object.entries(tags)) await from.tags.tag(tag, descriptor);
  const pushed = { t1: "lib/tools:1", t2: "lib/tools:2", app: "team/app:1", sig: "team/app:sig" };
  for (const [tag, to] of Object.entries(pushed)) {
    const copied = ["copy", `oci:${origin}:${tag}`, `docker://${registry.host}/${to}`];
    await runMote([...copied, "--cache", join(dir, "pushing"), "-q"]);
  }
  return { tools1, tools2, index, arm, signature };
}

/** A registry, and the caches that are filled from it. */
export class ImageOrigin {
  readonly dir: string;
  readonly registry: DockerRegistry;
  readonly images: PushedImages;
  #caches = 0;
  #filled: Promise<FilledCache> | undefined;

  private constructor(dir: string, registry: DockerRegistry, images: PushedImages) {
    this.dir = dir;
    this.registry = registry;
    this.images = images;
  }

  static async start(): Promise<ImageOrigin> {
    const dir = await mkdtemp(join(tmpdir(), "mote-commands-"));
    const registry = await startDockerRegistry();
    await writeFile(join(dir, "loose.txt"), "no image has this");
    return new ImageOrigin(dir, registry, await pushImages(dir, registry));
  }

  /** Returns a new cache: two tags that share a layer, an index with a signature, and a file. */
  async fill(): Promise<FilledCache> {
    this.#filled ??= this.#fill();
    const { dir, loose } = await this.#filled;
    const copy = new FilledCache(join(this.dir, `cache-${this.#caches++}`));
    await cp(dir, copy.dir, { recursive: true, preserveTimestamps: true });
    copy.loose = loose;
    return copy;
  }

  async #fill(): Promise<FilledCache> {
    const filled = new FilledCache(join(this.dir, "filled"));
    for (const each of ["lib/tools:1", "lib/tools:2"]) await filled.ok("pull", `docker://${this.name(each)}`);
    await filled.ok("pull", `docker://${this.name("team/app:1")}`, "--with-referrers");
    filled.loose = (await filled.ok("add", join(this.dir, "loose.txt"))).slice(0, 71);
    return filled;
  }

  name(tail: string): string {
    return `${this.registry.host}/${tail}`;
  }

  async stop(): Promise<void> {
    await this.registry.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}

export class FilledCache {
  readonly dir: string;
  /** The digest of the blob that no image has. */
  loose = "";

  constructor(dir: string) {
    this.dir = dir;
  }

  mote(...args: string[]): Promise<Ended> {
    return runMote([...args, "--cache", this.dir]);
  }

  async ok(...args: string[]): Promise<string> {
    const ended = await this.mote(...args);
    expect({ args, status: ended.status, stderr: ended.stderr }).toEqual({
      args,
      status: 0,
      stderr: expect.anything(),
    });
    return ended.stdout;
  }

  blob(digest: string): string {
    return join(this.dir, "blobs", "sha256", digest.slice(7));
  }
}
