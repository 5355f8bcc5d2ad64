import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes } from "../../packages/core/src/index.js";
import { LayoutDestination } from "../../packages/layout/src/index.js";
import { openMote } from "../../packages/preset/src/index.js";
import { startDockerRegistry } from "../../packages/testbed/src/index.js";

export interface SeededRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  requests(): Promise<string[]>;
  stop(): Promise<void>;
}

/** A registry with the content that the examples use: the image `team/app:1.0`, the artifact `team/model:7b`, and Ollama's model `team/llama:1b`. */
export async function startSeededRegistry(): Promise<SeededRegistry> {
  const registry = await startDockerRegistry();
  const folder = await mkdtemp(join(tmpdir(), "mote-seed-"));
  try {
    const json = (document: object) => new TextEncoder().encode(JSON.stringify(document));
    const rootfs = { type: "layers", diff_ids: [] };
    await writeImage(join(folder, "app"), "1.0", {
      config: [json({ architecture: "amd64", os: "linux", rootfs }), mediaTypes.ociConfig],
      layers: [
        [new Uint8Array(200_000).fill(1), mediaTypes.ociLayer],
        [new Uint8Array(50_000).fill(2), mediaTypes.ociLayer],
      ],
    });
    await writeImage(join(folder, "llama"), "1b", {
      config: [json({ model_format: "gguf", architecture: "amd64", os: "linux" }), mediaTypes.dockerConfig],
      layers: [
        [new Uint8Array(100_000).fill(3), "application/vnd.ollama.image.model"],
        [new TextEncoder().encode("{{ .Prompt }}"), "application/vnd.ollama.image.template"],
      ],
    });
    await writeFile(join(folder, "weights.bin"), new Uint8Array(100_000).fill(7));
    await using mote = await openMote({ dir: join(folder, "cache") });
    await mote.pull(`oci:${join(folder, "app")}:1.0`, `docker://${registry.host}/team/app:1.0`);
    await mote.pull(`oci:${join(folder, "llama")}:1b`, `docker://${registry.host}/team/llama:1b`);
    await mote.pushFiles(
      [{ path: join(folder, "weights.bin"), title: "weights.bin" }],
      `docker://${registry.host}/team/model:7b`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return registry;
}

type Blob = readonly [bytes: Uint8Array, mediaType: string];

async function writeImage(
  dir: string,
  tag: string,
  { config, layers }: { readonly config: Blob; readonly layers: readonly Blob[] },
): Promise<void> {
  await using layout = new LayoutDestination(dir);
  const put = async ([bytes, mediaType]: Blob): Promise<Descriptor> => {
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
    await layout.blob(descriptor, one(bytes));
    return descriptor;
  };
  const children = { config: await put(config), layers: await Promise.all(layers.map(put)) };
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, ...children };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
  await layout.manifest(manifest, bytes);
  await layout.tag(tag, manifest);
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
