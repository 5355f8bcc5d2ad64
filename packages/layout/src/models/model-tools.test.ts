import { type Descriptor, digestBytes, mediaTypes, parseManifest } from "@mote/core";
import { describe, expect, it } from "vitest";
import type { ModelName } from "./model-tool.js";
import { modelTool, modelTools } from "./model-tools.js";

const digest = digestBytes(new Uint8Array());
const self: Descriptor = { mediaType: mediaTypes.ociManifest, digest, size: 1 };
const home = { home: "/home/me", config: undefined, cache: "/home/me/.cache", runtime: undefined };
const noHome = { home: undefined, config: undefined, cache: undefined, runtime: undefined };

function manifestOf(...types: readonly string[]) {
  const config = { mediaType: mediaTypes.dockerConfig, digest, size: 2 };
  const layers = types.map((mediaType, at) => ({ mediaType, digest: digestBytes(new Uint8Array(at + 1)), size: 1 }));
  return parseManifest(new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, config, layers })));
}

const model = (repository: string, tag = "1b", registry = "registry.ollama.ai"): ModelName => ({
  registry,
  repository,
  tag: tag === "" ? undefined : tag,
});

describe("the folder of a tool", () => {
  it.each([
    ["ollama", {}, "/home/me/.ollama/models"],
    ["ollama", { OLLAMA_MODELS: "" }, "/home/me/.ollama/models"],
    ["ollama", { OLLAMA_MODELS: "/srv/models" }, "/srv/models"],
    ["hf", {}, "/home/me/.cache/huggingface/hub"],
    ["hf", { HF_HOME: "/srv/hf" }, "/srv/hf/hub"],
    ["hf", { HF_HOME: "/srv/hf", HUGGINGFACE_HUB_CACHE: "/old" }, "/old"],
    ["hf", { HF_HUB_CACHE: "/hub", HUGGINGFACE_HUB_CACHE: "/old" }, "/hub"],
    ["lmstudio", {}, "/home/me/.lmstudio/models"],
  ])("%s with %j is %s", (name, env, folder) => {
    expect(modelTool(name).folder(env, home)).toBe(folder);
  });

  it("is not known without a home folder", () => {
    for (const tool of modelTools) expect(tool.folder({}, noHome)).toBeUndefined();
  });

  it("is only known for a known tool, and the error has their names", () => {
    expect(() => modelTool("other")).toThrow(
      expect.objectContaining({
        code: "MOTE_INVALID_NAME",
        details: { name: "other", known: ["ollama", "hf", "lmstudio"] },
      }),
    );
  });
});

describe("Ollama", () => {
  const ollama = modelTool("ollama");

  it.each([
    [model("library/llama3.2"), "llama3.2:1b", "registry.ollama.ai/library/llama3.2/1b"],
    [model("llama3.2"), "llama3.2:1b", "registry.ollama.ai/library/llama3.2/1b"],
    [model("me/tiny", ""), "me/tiny:latest", "registry.ollama.ai/me/tiny/latest"],
    [model("me/tiny", "1", "127.0.0.1:5000"), "127.0.0.1:5000/me/tiny:1", "127.0.0.1:5000/me/tiny/1"],
  ])("has %j as %s", (named, name, path) => {
    const place = ollama.place(named);
    expect(place.name).toBe(name);
    const { files, pointers } = place.arrange(manifestOf("application/vnd.ollama.image.model"), self);
    expect(pointers).toEqual([{ path: `manifests/${path}`, content: "manifest" }]);
    expect(files.map(({ title }) => title)).toEqual([
      `blobs/sha256-${digest.slice(7)}`,
      `blobs/sha256-${digestBytes(new Uint8Array(1)).slice(7)}`,
    ]);
  });

  it.each([
    model("a/b/c"),
    model("me.org/tiny"),
    model("me/tiny", "x".repeat(81)),
    model("me/tiny", "1", "[::1]:5000"),
    model("me/tiny", "1", ".."),
    model("../tiny"),
    model("me/.."),
  ])("cannot have a model of the name %j", (named) => {
    expect(() => ollama.place(named)).toThrow(expect.objectContaining({ code: "MOTE_INVALID_NAME" }));
  });

  it("cannot use other artifacts, and digests of other algorithms", () => {
    const { arrange } = ollama.place(model("me/tiny"));
    const other = { kind: "manifest", mediaType: mediaTypes.ociManifest } as const;
    const sha512 = digestBytes(new Uint8Array(), "sha512");
    const layer = { mediaType: "application/vnd.ollama.image.model", digest: sha512, size: 0 };
    for (const manifest of [
      manifestOf("application/vnd.docker.ai.gguf.v3"),
      { ...other, layers: [layer] },
      { kind: "index", mediaType: mediaTypes.ociIndex, manifests: [] } as const,
    ]) {
      expect(() => arrange(manifest, self)).toThrow(expect.objectContaining({ code: "MOTE_NOT_FILES" }));
    }
  });
});

describe("Hugging Face", () => {
  it("has the last two parts of a repository as its name, and a revision that is never looked up", () => {
    const { name, folder, arrange } = modelTool("hf").place(model("deep/org/tiny"));
    expect([name, folder]).toEqual(["org/tiny", "models--org--tiny"]);
    const { files, pointers } = arrange(manifestOf("application/vnd.docker.ai.gguf.v3"), self);
    const revision = digest.slice(7, 47);
    expect(files).toMatchObject([{ title: "model.gguf", below: `snapshots/${revision}` }]);
    expect(pointers).toEqual([{ path: "refs/main", content: new TextEncoder().encode(revision) }]);
    expect(modelTool("hf").place(model("tiny")).folder).toBe("models--tiny");
  });

  it("cannot have a name that separates its parts in another way", () => {
    expect(() => modelTool("hf").place(model("a--b/c"))).toThrow(
      expect.objectContaining({ code: "MOTE_INVALID_NAME" }),
    );
  });
});

describe("LM Studio", () => {
  it("has models below their publishers", () => {
    expect(modelTool("lmstudio").place(model("deep/org/tiny"))).toMatchObject({ name: "org/tiny", folder: "org/tiny" });
    expect(() => modelTool("lmstudio").place(model("tiny"))).toThrow(
      expect.objectContaining({ code: "MOTE_INVALID_NAME" }),
    );
  });
});
