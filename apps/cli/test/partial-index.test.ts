import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";

let dir: string;
const mote = (command: string, ...args: string[]) => runMote([command, "--cache", join(dir, "cache"), ...args]);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-partial-"));
  mkdirSync(join(dir, "layout/blobs/sha256"), { recursive: true });
  writeFileSync(join(dir, "layout/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function put(body: unknown, mediaType: string): Descriptor {
  const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  const digest = digestBytes(bytes);
  writeFileSync(join(dir, "layout/blobs/sha256", digest.slice("sha256:".length)), bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

function list(root: Descriptor): void {
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  writeFileSync(join(dir, "layout/index.json"), JSON.stringify({ manifests: [{ ...root, annotations }] }));
}

function image(architecture: string) {
  const platform = { os: "linux", architecture };
  const config = put(platform, mediaTypes.ociConfig);
  return { ...put({ schemaVersion: 2, config, layers: [] }, mediaTypes.ociManifest), platform };
}

describe("a layout with some platforms of an index", () => {
  let missing: Descriptor;
  const source = () => `oci:${join(dir, "layout")}:1`;

  beforeEach(() => {
    const there = image("amd64");
    missing = image("arm64");
    list(put({ schemaVersion: 2, manifests: [there, missing] }, mediaTypes.ociIndex));
    rmSync(join(dir, "layout/blobs/sha256", missing.digest.slice("sha256:".length)));
  });

  it("is pulled with a warning, and ls, verify and doctor say that it is not damaged", async () => {
    const pulled = await mote("pull", source(), "--json");
    expect(pulled.status).toBe(0);
    for (const text of ["linux/arm64", missing.digest, "--platform linux/amd64"]) expect(pulled.stderr).toContain(text);
    expect(JSON.parse(pulled.stdout).refs[0].missing).toMatchObject([{ digest: missing.digest }]);
    expect((await mote("ls")).stdout).toContain("1 of 2 platforms");
    const verified = await mote("verify");
    expect([verified.status, verified.stderr]).toEqual([0, expect.stringContaining("only some platforms cached")]);
    expect((await mote("doctor")).stdout).toContain("1 with only some platforms");
  });

  it("does not supply a missing platform, and gives no useless advice", async () => {
    const { status, stderr } = await mote("pull", source(), "--platform", "linux/arm64");
    expect(status).toBe(1);
    expect(stderr).toContain(missing.digest);
    expect(stderr).not.toContain("--all-platforms");
  });
});

describe("an artifact whose layers have no titles", () => {
  const artifact = (...layers: readonly Descriptor[]) =>
    list(put({ config: put("{}", mediaTypes.ociEmpty), layers }, mediaTypes.ociManifest));
  const pull = () => mote("pull", `oci:${join(dir, "layout")}:1`, `${join(dir, "out")}/`);

  it("with one layer is a file, and its name is printed", async () => {
    const layer = put("module", "application/wasm");
    artifact(layer);
    const { status, stderr } = await pull();
    const name = `${layer.digest.slice("sha256:".length, 19)}.wasm`;
    expect([status, readdirSync(join(dir, "out"))]).toEqual([0, [name]]);
    for (const text of [layer.digest, name]) expect(stderr).toContain(text);
  });

  it("with several layers is an error that says what to do, and nothing is written", async () => {
    const layers = [put("one", "application/wasm"), put("two", "text/plain")];
    artifact(...layers);
    const { status, stderr } = await pull();
    expect([status, readdirSync(dir)]).toEqual([1, expect.not.arrayContaining(["out"])]);
    for (const text of [...layers.map(({ digest }) => digest), "mote cat"]) expect(stderr).toContain(text);
  });
});
