import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SimulatedRegistry } from "@mote/testbed";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { documents } from "../src/json/documents.js";
import { pull } from "../src/table/pull.js";
import { startModelRegistry } from "./model-registry.js";
import { runMote } from "./run-mote.js";

let registry: SimulatedRegistry;
let dir: string;
beforeAll(async () => {
  registry = await startModelRegistry();
});
afterAll(() => registry?.[Symbol.asyncDispose]());
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-models-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const at = (...names: readonly string[]) => join(dir, ...names);
const tools = () => ({ OLLAMA_MODELS: at("ollama"), HF_HOME: at("hf"), HOME: at("home") });
const mote = (...args: readonly string[]) => runMote([...args, "--json", "--cache", at("cache")], { env: tools() });

async function filesBelow(path: string): Promise<Record<string, string>> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(
    files.map(async (file) => [file.slice(path.length + 1), await readFile(file, "utf8")]),
  );
  return Object.fromEntries(texts.sort());
}

describe("mote pull writes the files of a model into a directory", () => {
  const weights = expect.stringMatching(/^GGUF weights /);
  it.each([
    [
      "Ollama",
      "library/tiny",
      {
        license: "one",
        "license-2": "two",
        "model.gguf": weights,
        "params.json": '{"stop":["</s>"]}',
        template: "{{ .Prompt }}",
      },
    ],
    [
      "Docker Model Runner",
      "ai/tiny",
      { license: "MIT", "model.gguf": "GGUF docker", "template.jinja": "{{ messages }}" },
    ],
    ["ModelPack", "pack/tiny", { "config.json": "{}", "model.safetensors": "weights", "tokenizer/vocab.txt": "a b" }],
    ["KitOps", "kit/tiny", { Kitfile: '{"manifestVersion":"1.0.0"}', "model/tiny.gguf": "GGUF kit" }],
  ])("of %s", async (_, name, files) => {
    const ended = await mote("pull", `${registry.host}/${name}:1b`, `${at("model")}/`);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(await filesBelow(at("model"))).toEqual(files);
  });

  it("or only some of them", async () => {
    const ended = await mote("pull", `${registry.host}/library/tiny:1b`, `${at("model")}/`, "--only", "license*");
    expect(ended.status).toBe(0);
    expect(await readdir(at("model"))).toEqual(["license", "license-2"]);
  });
});

describe("mote pull --into", () => {
  const model = () => `${registry.host}/library/tiny:1b`;
  const manifest = () => `manifests/${registry.host}/library/tiny/1b`;
  const validated = (stdout: string) => documents.pull?.parse(JSON.parse(stdout)) as ReturnType<typeof JSON.parse>;

  it("ollama places the manifest and all blobs, as hard links or clones of the cached files", async () => {
    const ended = await mote("pull", model(), "--into", "ollama");
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    const { placed } = validated(ended.stdout);
    expect(placed).toMatchObject({ tool: "ollama", name: model(), dir: at("ollama") });
    const { config, layers } = JSON.parse(await readFile(at("ollama", manifest()), "utf8"));
    const digests: string[] = [config, ...layers].map(({ digest }) => digest);
    const blobs = digests.map((digest) => `blobs/${digest.replace(":", "-")}`);
    expect(Object.keys(await filesBelow(at("ollama")))).toEqual([...blobs, manifest()].sort());
    expect(placed.files.map(({ path }: { path: string }) => path)).toEqual([...blobs, manifest()]);
    for (const [index, digest] of digests.entries()) {
      const there = await stat(at("ollama", blobs[index] ?? ""));
      const cached = await stat(at("cache/blobs/sha256", digest.slice(7)));
      expect(there.ino === cached.ino || there.nlink === 1).toBe(true);
      expect(placed.files[index]).toMatchObject({ size: there.size, isHardLink: there.nlink > 1 });
    }

    // What is there is kept and not fetched again, and another manifest is only replaced with --force.
    await rm(at("cache"), { recursive: true });
    await writeFile(at("ollama", manifest()), "{}");
    const refused = await mote("pull", model(), "--into", "ollama");
    expect([refused.status, JSON.parse(refused.stderr).error]).toMatchObject([
      1,
      { code: "MOTE_EXISTS", details: { isReplaceable: true } },
    ]);
    expect(await readFile(at("ollama", manifest()), "utf8")).toBe("{}");
    const [weights = ""] = blobs.slice(1);
    const before = await stat(at("ollama", weights));
    const forced = await mote("pull", model(), "--into", "ollama", "--force");
    expect(JSON.parse(forced.stdout)).toMatchObject({ fetched: { count: 0 } });
    expect((await stat(at("ollama", weights))).ino).toBe(before.ino);
    expect(await readFile(at("ollama", manifest()), "utf8")).toContain("vnd.ollama.image.model");
  });

  it("hf places the files of a snapshot and the branch that refers to it", async () => {
    const ended = await mote("pull", `${registry.host}/pack/tiny:1b`, "--into", "hf");
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    const { placed, refs } = validated(ended.stdout);
    const revision = refs[0].descriptor.digest.slice(7, 47);
    expect(placed).toMatchObject({ tool: "hf", name: "pack/tiny", dir: at("hf/hub/models--pack--tiny") });
    expect(await filesBelow(at("hf/hub"))).toEqual({
      "models--pack--tiny/refs/main": revision,
      [`models--pack--tiny/snapshots/${revision}/config.json`]: "{}",
      [`models--pack--tiny/snapshots/${revision}/model.safetensors`]: "weights",
      [`models--pack--tiny/snapshots/${revision}/tokenizer/vocab.txt`]: "a b",
    });
  });

  it("lmstudio places the files below the publisher", async () => {
    const ended = await mote("pull", `${registry.host}/ai/tiny:1b`, "--into", "lmstudio", "--only", "*.gguf");
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(await filesBelow(at("home/.lmstudio/models"))).toEqual({ "ai/tiny/model.gguf": "GGUF docker" });
  });

  it.each<[string, number, (model: string) => readonly string[]]>([
    ["MOTE_USAGE", 2, (model) => [model, "--into", "other"]],
    ["MOTE_NOT_FILES", 1, (model) => [model.replace("library", "pack"), "--into", "ollama"]],
    ["MOTE_INVALID_REFERENCE", 1, () => [`oci:${at("layout")}:1`, "--into", "hf"]],
    ["MOTE_USAGE", 2, (model) => [model, "--into", "ollama", "--only", "*"]],
  ])("reports what cannot be placed as %s, and creates nothing", async (code, status, args) => {
    const ended = await mote("pull", ...args(model()));
    const { error } = JSON.parse(ended.stderr);
    expect([ended.status, error.code]).toEqual([status, code]);
    if (args(model()).includes("other")) expect(error.message).toContain(pull.options?.into?.choices?.join(", "));
    expect(await readdir(dir)).not.toContain("ollama");
  });
});
