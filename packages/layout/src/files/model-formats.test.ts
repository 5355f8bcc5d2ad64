import { digestBytes, type ImageManifest, MoteError, parseManifest } from "@mote/core";
import { describe, expect, it } from "vitest";
import { artifactFiles } from "./artifact-files.js";

const encode = (text: string) => new TextEncoder().encode(text);

interface Layer {
  readonly type: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly name?: string;
}

/** A manifest as its tool writes it, parsed. */
function manifestOf(config: string, layers: readonly Layer[], fields: object = {}): ImageManifest {
  const blob = (mediaType: string, content: string) => ({ mediaType, digest: digestBytes(encode(content)), size: 1 });
  const parsed = parseManifest(
    encode(
      JSON.stringify({
        schemaVersion: 2,
        config: blob(config, "config"),
        layers: layers.map(({ type, ...others }, at) => ({ ...blob(type, String(at)), ...others })),
        ...fields,
      }),
    ),
  );
  if (parsed.kind !== "manifest") throw new Error("an index");
  return parsed;
}

function filesOf(manifest: ImageManifest) {
  return artifactFiles(manifest).files.map(({ title, root, isProgram }) =>
    root === undefined ? `${title}${isProgram ? "*" : ""}` : `${title} → ${root}`,
  );
}

const dockerConfig = "application/vnd.docker.container.image.v1+json";
const ollama = (...kinds: readonly string[]) =>
  manifestOf(
    dockerConfig,
    kinds.map((kind) => ({ type: `application/vnd.ollama.image.${kind}` })),
    { mediaType: "application/vnd.docker.distribution.manifest.v2+json" },
  );
const at = (path: string, type = "weight.v1.raw", others: Readonly<Record<string, string>> = {}): Layer => ({
  type: `application/vnd.cncf.model.${type}`,
  annotations: { "org.cncf.model.filepath": path, ...others },
});
const modelPack = (...layers: readonly Layer[]) =>
  manifestOf("application/vnd.cncf.model.config.v1+json", layers, {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    artifactType: "application/vnd.cncf.model.manifest.v1+json",
  });

describe("the files of a model", () => {
  it("of Ollama are named by their media types, although its config has the type of an image config", () => {
    expect(filesOf(ollama("model", "template", "system", "params", "license", "messages"))).toEqual([
      "model.gguf",
      "template",
      "system",
      "params.json",
      "license",
      "messages.json",
    ]);
  });

  it("are numbered if there are several of a kind", () => {
    expect(filesOf(ollama("model", "projector", "adapter", "adapter", "license", "license", "license"))).toEqual([
      "model.gguf",
      "projector.gguf",
      "adapter.gguf",
      "adapter-2.gguf",
      "license",
      "license-2",
      "license-3",
    ]);
  });

  it("of a kind that is not known are named like the kind, without characters that names cannot have", () => {
    expect(filesOf(ollama("model", "skill", "../../x", "", "v1.a/b"))).toEqual([
      "model.gguf",
      "skill",
      "x",
      "file",
      "v1.a-b",
    ]);
  });

  it("of Ollama that are tensors have the names of their layers", () => {
    const manifest = manifestOf(dockerConfig, [
      { type: "application/vnd.ollama.image.tensor", name: "text_encoder/embed.weight" },
      { type: "application/vnd.ollama.image.json", name: "text_encoder/config.json" },
      { type: "application/vnd.ollama.image.json" },
    ]);
    expect(filesOf(manifest)).toEqual([
      "text_encoder/embed.weight.safetensors",
      "text_encoder/config.json",
      "config.json",
    ]);
  });

  it("of Docker Model Runner are named by their media types", () => {
    const kinds = ["gguf.v3", "gguf.v3.lora", "gguf.v3.mmproj", "license", "chat.template.jinja"];
    const config = "application/vnd.docker.ai.model.config.v0.1+json";
    const docker = (...types: readonly string[]) =>
      manifestOf(
        config,
        types.map((type) => ({ type: `application/vnd.docker.ai.${type}` })),
      );
    expect(filesOf(docker(...kinds))).toEqual([
      "model.gguf",
      "adapter.gguf",
      "mmproj.gguf",
      "license",
      "template.jinja",
    ]);
    expect(filesOf(docker("safetensors", "safetensors", "vllm.config.tar", "mmproj", "model.file"))).toEqual([
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "vllm.config.tar → .",
      "mmproj.gguf",
      "file",
    ]);
  });

  it("of Docker Model Runner and ModelPack have the paths of their annotations", () => {
    const config = "application/vnd.docker.ai.model.config.v0.2+json";
    const file = {
      type: "application/vnd.docker.ai.model.file",
      annotations: { "org.cncf.model.filepath": "a/tokenizer.json" },
    };
    const untitled = { type: "application/vnd.docker.ai.safetensors" };
    expect(filesOf(manifestOf(config, [file, untitled]))).toEqual(["a/tokenizer.json", "model.safetensors"]);
    expect(filesOf(modelPack(at("model.safetensors"), at("docs/README.md", "doc.v1.raw")))).toEqual([
      "model.safetensors",
      "docs/README.md",
    ]);
  });

  it("of ModelPack are unpacked if they are archives, and programs if their metadata says so", () => {
    const metadata = (mode: unknown) => ({ "org.cncf.model.file.metadata+json": JSON.stringify({ mode }) });
    const untitled = (type: string) => ({ type: `application/vnd.cncf.model.${type}` });
    const manifest = modelPack(
      at("weights", "weight.v1.tar"),
      at("run.sh", "code.v1.raw", metadata(0o755)),
      at("data.csv", "dataset.v1.raw", metadata(0o644)),
      at("odd.csv", "dataset.v1.raw", metadata("0755")),
      at("broken.csv", "dataset.v1.raw", { "org.cncf.model.file.metadata+json": "{" }),
      untitled("weight.config.v1.tar+gzip"),
      untitled("dataset.v1.tar+zstd"),
      untitled("weight.v1.gguf"),
    );
    expect(filesOf(manifest)).toEqual([
      "weights → .",
      "run.sh*",
      "data.csv",
      "odd.csv",
      "broken.csv",
      "config → .",
      "dataset → .",
      "model.gguf",
    ]);
  });

  it("of KitOps are unpacked, and the config is the Kitfile", () => {
    const layers = ["model.v1.tar+gzip", "modelpart.v1.tar", "dataset.v1.tar+gzip", "dataset.v1.tar+gzip"];
    const manifest = manifestOf(
      "application/vnd.kitops.modelkit.config.v1+json",
      layers.map((type) => ({ type: `application/vnd.kitops.modelkit.${type}` })),
    );
    expect(filesOf(manifest)).toEqual(["Kitfile", "model → .", "modelpart → .", "dataset → .", "dataset-2 → ."]);
  });

  it("with generated names never have the name of another file, also in another case", () => {
    const manifest = modelPack(at("Model.GGUF"), at("license-2"), {
      type: "application/vnd.cncf.model.weight.v1.gguf",
    });
    expect(filesOf(manifest)).toEqual(["Model.GGUF", "license-2", "model-2.gguf"]);
  });

  it("that are not of the format are named by their title or their digest", () => {
    const type = "application/zip";
    const manifest = modelPack(at("a"), { type, annotations: { "org.opencontainers.image.title": "b.zip" } }, { type });
    expect(filesOf(manifest)).toEqual(["a", "b.zip", expect.stringMatching(/^[0-9a-f]{12}\.zip$/)]);
  });

  it.each(["../x", "/etc/passwd", "a/../../x", "C:\\x", "a\0b", ".mote-0123456789abcdef", "x".repeat(256)])(
    "may not have the path %j",
    (path) => {
      for (const layer of [at(path), at(path, "weight.v1.tar")]) {
        expect(() => artifactFiles(modelPack(layer))).toThrow(expect.objectContaining({ code: "MOTE_INVALID_NAME" }));
      }
    },
  );

  it("may not have the same path, or one below another", () => {
    for (const [one, other] of [
      ["a", "./a"],
      ["a", "a/b"],
    ] as const) {
      expect(() => artifactFiles(modelPack(at(one), at(other)))).toThrow(MoteError);
    }
  });

  it("are found in as many layers as a manifest can have", () => {
    const { files } = artifactFiles(ollama(...Array.from({ length: 3000 }, () => "license")));
    expect(files.at(-1)?.title).toBe("license-3000");
  });
});
