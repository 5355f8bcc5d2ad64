import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import type { Row } from "./compare.js";

const run = promisify(execFile);
const mote = fileURLToPath(new URL("../../cli/dist/main.js", import.meta.url));

const repositories = 10;
const tags = 10;
const maxOutputBytes = 64 * 1024 * 1024;

/** Compares `mote sync` with `skopeo sync`: 100 images that share layers, from one docker-registry on loopback to another. */
export async function* syncImagesSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  const missing = needs("docker-registry", "skopeo");
  if (missing !== "") {
    console.error(`  many${missing}`);
    return;
  }
  await using source = await startDockerRegistry({ parent: folder });
  const uniqueBytes = await seed(folder, source.host);
  await using sync = new Syncs(folder, source.host);
  await sync.writeLists();
  yield {
    title: "100 images with shared layers, first run",
    unit: "MB",
    amount: uniqueBytes / 1e6,
    goalTime: 0.6,
    mote: { name: "mote", prepare: () => sync.clear("mote"), run: () => sync.mote() },
    peer: { name: "skopeo", prepare: () => sync.clear("skopeo"), run: () => sync.skopeo() },
  };
  await sync.clear("mote");
  await sync.mote();
  await sync.clear("skopeo");
  await sync.skopeo();
  yield {
    title: "100 images with shared layers, again with nothing to copy",
    unit: "MB",
    amount: uniqueBytes / 1e6,
    goalTime: 0.25,
    mote: { name: "mote", run: () => sync.mote() },
    peer: { name: "skopeo", run: () => sync.skopeo() },
  };
  yield {
    title: "bytes sent beyond the unique bytes of 100 images",
    unit: "bytes",
    atMost: 0,
    async measure() {
      await sync.clear("mote");
      return (await sync.sentBytes()) - uniqueBytes;
    },
  };
}

type Tool = "mote" | "skopeo";

/** Runs the same work by both tools, each with a registry of its own as the destination. */
class Syncs implements AsyncDisposable {
  readonly #folder: string;
  readonly #source: string;
  readonly #destinations = new Map<Tool, DockerRegistry>();

  constructor(folder: string, source: string) {
    this.#folder = folder;
    this.#source = source;
  }

  async writeLists(): Promise<void> {
    const lines = names().map((name) => `${this.#source}/${name}`);
    await writeFile(join(this.#folder, "images.txt"), lines.join("\n"));
    const images = Object.fromEntries(
      Array.from({ length: repositories }, (_, at) => [
        repository(at),
        Array.from({ length: tags }, (__, tag) => tagOf(tag)),
      ]),
    );
    // JSON is valid YAML.
    await writeFile(
      join(this.#folder, "images.yml"),
      JSON.stringify({ [this.#source]: { "tls-verify": false, images } }),
    );
  }

  /** Starts an empty registry, and removes mote's cache. */
  async clear(tool: Tool): Promise<void> {
    await this.#destinations.get(tool)?.stop();
    this.#destinations.set(tool, await startDockerRegistry({ parent: this.#folder }));
    if (tool === "mote") await rm(join(this.#folder, "cache"), { recursive: true, force: true });
  }

  async mote(): Promise<void> {
    await this.#sync();
  }

  async sentBytes(): Promise<number> {
    return JSON.parse(await this.#sync()).bytes;
  }

  async skopeo(): Promise<void> {
    const to = `${this.#host("skopeo")}/team`;
    const options = ["--insecure-policy", "sync", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false"];
    await run("skopeo", [...options, join(this.#folder, "images.yml"), to], { maxBuffer: maxOutputBytes });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const registry of this.#destinations.values()) await registry.stop();
  }

  async #sync(): Promise<string> {
    const list = join(this.#folder, "images.txt");
    const to = `docker://${this.#host("mote")}`;
    const command = [mote, "sync", list, to, "--cache", join(this.#folder, "cache"), "--json"];
    return (await run(process.execPath, command, { maxBuffer: maxOutputBytes })).stdout;
  }

  #host(tool: Tool): string {
    return this.#destinations.get(tool)?.host ?? "";
  }
}

const repository = (at: number) => `team/app${at}`;
const tagOf = (tag: number) => `v1.${tag}`;

function names(): readonly string[] {
  return Array.from(
    { length: repositories * tags },
    (_, at) => `${repository(at % repositories)}:${tagOf(Math.floor(at / repositories))}`,
  );
}

/** Pushes the images to a registry. Returns the bytes of their blobs, each once. */
async function seed(folder: string, host: string): Promise<number> {
  const dir = join(folder, "seed");
  await mkdir(join(dir, "blobs", "sha256"), { recursive: true });
  const sizes = new Map<string, number>();
  const write = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const digest = digestBytes(bytes);
    await writeFile(join(dir, "blobs", ...digest.split(":")), bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const put = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const descriptor = await write(bytes, mediaType);
    sizes.set(descriptor.digest, descriptor.size);
    return descriptor;
  };
  const json = (document: object) => new TextEncoder().encode(JSON.stringify(document));
  const base = await put(randomBytes(20_000_000), mediaTypes.ociLayer);
  const languages = [
    await put(randomBytes(5_000_000), mediaTypes.ociLayer),
    await put(randomBytes(5_000_000), mediaTypes.ociLayer),
  ];
  const dependencies: Descriptor[] = [];
  for (let at = 0; at < repositories; at++) dependencies.push(await put(randomBytes(2_000_000), mediaTypes.ociLayer));
  const manifests: object[] = [];
  for (const [at, name] of names().entries()) {
    const own = await put(randomBytes(200_000), mediaTypes.ociLayer);
    const layers = [base, languages[at % 2], dependencies[at % repositories], own].filter(
      (layer) => layer !== undefined,
    );
    const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
    const config = await put(json({ architecture: "amd64", os: "linux", rootfs }), mediaTypes.ociConfig);
    const manifest = json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers });
    const annotations = { "org.opencontainers.image.ref.name": `seed.example/${name}` };
    manifests.push({ ...(await write(manifest, mediaTypes.ociManifest)), annotations });
  }
  await writeFile(join(dir, "index.json"), json({ schemaVersion: 2, manifests }));
  await writeFile(join(dir, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  const cache = join(folder, "seed-cache");
  await run(process.execPath, [mote, "sync", `oci:${dir}`, `docker://${host}`, "--cache", cache, "--quiet"], {
    maxBuffer: maxOutputBytes,
  });
  await rm(cache, { recursive: true });
  await rm(dir, { recursive: true });
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
