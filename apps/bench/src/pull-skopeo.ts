import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { digestBytes, mediaTypes } from "@mote/core";
import { needs, startDockerRegistry } from "@mote/testbed";
import type { Comparison } from "./compare.js";

const run = promisify(execFile);
const mote = fileURLToPath(new URL("../../cli/dist/main.js", import.meta.url));

interface Image {
  readonly title: string;
  readonly name: string;
  readonly layers: number;
  readonly layerBytes: number;
}

const images: readonly Image[] = [
  { title: "5 layers, 125 MB", name: "large", layers: 5, layerBytes: 25_000_000 },
  { title: "200 layers, 2 MB", name: "small", layers: 200, layerBytes: 10_000 },
];

/** Whole processes beside skopeo: from Debian's docker-registry on loopback into an image layout. */
export async function* pullSuite(folder: string): AsyncGenerator<Comparison, void, undefined> {
  const missing = needs("docker-registry", "skopeo");
  if (missing !== "") {
    console.error(`  pull${missing}`);
    return;
  }
  await using registry = await startDockerRegistry({ parent: folder });
  for (const image of images) {
    const layout = join(folder, image.name);
    await writeLayout(layout, image);
    const source = `docker://${registry.host}/bench/${image.name}:1`;
    await skopeo("copy", "--dest-tls-verify=false", `oci:${layout}:1`, source);
    const amount = (image.layers * image.layerBytes) / 1e6;
    const [cache, ours, theirs] = [join(folder, "cache"), join(folder, "ours"), join(folder, "theirs")];
    const pull = () => run(process.execPath, [mote, "pull", source, `oci:${ours}:1`, "--cache", cache, "--quiet"]);
    const peer = {
      name: "skopeo",
      prepare: () => rm(theirs, { recursive: true, force: true }),
      run: () => skopeo("copy", "--src-tls-verify=false", source, `oci:${theirs}:1`),
    };
    yield {
      title: `cold pull, ${image.title}`,
      unit: "MB",
      amount,
      goalTime: 1.1,
      peer,
      mote: {
        name: "mote",
        prepare: async () => {
          await rm(cache, { recursive: true, force: true });
          await rm(ours, { recursive: true, force: true });
        },
        run: async () => void (await pull()),
      },
    };
    yield {
      title: `warm pull into a new layout, ${image.title}`,
      unit: "MB",
      amount,
      goalTime: 0.25,
      peer,
      mote: {
        name: "mote",
        prepare: () => rm(ours, { recursive: true, force: true }),
        run: async () => void (await pull()),
      },
    };
  }
}

async function skopeo(...args: readonly string[]): Promise<void> {
  await run("skopeo", ["--insecure-policy", ...args]);
}

/** Layers of random bytes: neither side can gain by compressing them. */
async function writeLayout(dir: string, { layers, layerBytes }: Image): Promise<void> {
  await mkdir(join(dir, "blobs", "sha256"), { recursive: true });
  const put = async (mediaType: string, bytes: Uint8Array) => {
    const digest = digestBytes(bytes);
    await writeFile(join(dir, "blobs", ...digest.split(":")), bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const json = (document: object) => new TextEncoder().encode(JSON.stringify(document));
  const config = await put(
    mediaTypes.ociConfig,
    json({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }),
  );
  const descriptors = [];
  for (let layer = 0; layer < layers; layer++)
    descriptors.push(await put(mediaTypes.ociLayer, randomBytes(layerBytes)));
  const manifest = await put(
    mediaTypes.ociManifest,
    json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: descriptors }),
  );
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  await writeFile(join(dir, "index.json"), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  await writeFile(join(dir, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
}
