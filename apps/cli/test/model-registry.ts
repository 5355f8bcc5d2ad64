import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ollamaRegistry, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";

const run = promisify(execFile);

/** A layer or config: its media type, its content, and other fields of its descriptor. */
interface Part {
  readonly type: string;
  readonly content: Uint8Array | string;
  readonly fields?: object;
}

const ociManifest = "application/vnd.oci.image.manifest.v1+json";
const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

/** Starts a registry that behaves like Ollama's, with one model in each published format: see `docs/how-to/models.md`. */
export async function startModelRegistry(): Promise<SimulatedRegistry> {
  const registry = await startSimulatedRegistry(ollamaRegistry);
  addModel(registry, "library/tiny", dockerManifest, ollamaModel);
  addModel(registry, "ai/tiny", ociManifest, {
    config: { type: "application/vnd.docker.ai.model.config.v0.1+json", content: '{"config":{"format":"gguf"}}' },
    layers: [
      { type: "application/vnd.docker.ai.gguf.v3", content: "GGUF docker" },
      { type: "application/vnd.docker.ai.license", content: "MIT" },
      { type: "application/vnd.docker.ai.chat.template.jinja", content: "{{ messages }}" },
    ],
  });
  const at = (path: string) => ({ annotations: { "org.cncf.model.filepath": path } });
  addModel(
    registry,
    "pack/tiny",
    ociManifest,
    {
      config: { type: "application/vnd.cncf.model.config.v1+json", content: '{"descriptor":{"name":"tiny"}}' },
      layers: [
        { type: "application/vnd.cncf.model.weight.v1.raw", content: "weights", fields: at("model.safetensors") },
        {
          type: "application/vnd.cncf.model.weight.config.v1.tar",
          content: await tarOf({ "config.json": "{}", "tokenizer/vocab.txt": "a b" }),
          fields: at("config"),
        },
      ],
    },
    { artifactType: "application/vnd.cncf.model.manifest.v1+json" },
  );
  addModel(registry, "kit/tiny", ociManifest, {
    config: { type: "application/vnd.kitops.modelkit.config.v1+json", content: '{"manifestVersion":"1.0.0"}' },
    layers: [
      {
        type: "application/vnd.kitops.modelkit.model.v1.tar+gzip",
        content: await tarOf({ "model/tiny.gguf": "GGUF kit" }, "--gzip"),
      },
    ],
  });
  return registry;
}

/** The weights are larger than what is read in one piece. */
const ollamaModel = {
  config: {
    type: "application/vnd.docker.container.image.v1+json",
    content: '{"model_format":"gguf","model_family":"llama","architecture":"amd64","os":"linux"}',
  },
  layers: [
    { type: "application/vnd.ollama.image.model", content: Buffer.from("GGUF weights ".repeat(200_000)) },
    { type: "application/vnd.ollama.image.template", content: "{{ .Prompt }}" },
    { type: "application/vnd.ollama.image.license", content: "one" },
    { type: "application/vnd.ollama.image.license", content: "two" },
    { type: "application/vnd.ollama.image.params", content: '{"stop":["</s>"]}' },
  ],
};

function addModel(
  { repositories }: SimulatedRegistry,
  name: string,
  mediaType: string,
  { config, layers }: { readonly config: Part; readonly layers: readonly Part[] },
  fields: object = {},
): void {
  const add = ({ type, content, fields: others }: Part) => {
    const bytes = Buffer.from(content);
    return { mediaType: type, digest: repositories.addBlob(name, bytes), size: bytes.byteLength, ...others };
  };
  const body = { schemaVersion: 2, mediaType, config: add(config), layers: layers.map(add), ...fields };
  repositories.addManifest(name, Buffer.from(JSON.stringify(body)), mediaType, "1b");
}

async function tarOf(files: Readonly<Record<string, string>>, ...options: readonly string[]): Promise<Uint8Array> {
  const dir = await mkdtemp(join(tmpdir(), "mote-model-tar-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(dir, "files", path)), { recursive: true });
      await writeFile(join(dir, "files", path), text);
    }
    const names = [...new Set(Object.keys(files).map((path) => path.split("/")[0] ?? ""))];
    await run("tar", ["--create", "--file", join(dir, "tar"), ...options, "--directory", join(dir, "files"), ...names]);
    return await readFile(join(dir, "tar"));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
