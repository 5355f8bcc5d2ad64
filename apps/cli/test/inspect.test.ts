import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes } from "@mote/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runMote } from "./run-mote.js";

const clear = "\u001b[2J";
let dir: string;
let manifest: Uint8Array;
let config: Uint8Array;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-inspect-"));
  await mkdir(join(dir, "layout/blobs/sha256"), { recursive: true });
  const put = async (body: object, mediaType: string) => {
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    const digest = digestBytes(bytes);
    await writeFile(join(dir, "layout/blobs/sha256", digest.slice(7)), bytes);
    return { bytes, descriptor: { mediaType, digest, size: bytes.byteLength } };
  };
  const configured = await put(
    { os: "linux", architecture: "amd64", config: { Env: [`A=${clear}`], Labels: { [clear]: "\u202e" } } },
    "application/vnd.oci.image.config.v1+json",
  );
  config = configured.bytes;
  const layer = await put({ not: "fetched" }, "application/vnd.oci.image.layer.v1.tar+gzip");
  const image = await put(
    {
      schemaVersion: 2,
      config: configured.descriptor,
      layers: [layer.descriptor],
      annotations: { "org.opencontainers.image.title": clear },
    },
    "application/vnd.oci.image.manifest.v1+json",
  );
  manifest = image.bytes;
  await rm(join(dir, "layout/blobs/sha256", layer.descriptor.digest.slice(7)));
  const named = { ...image.descriptor, annotations: { "org.opencontainers.image.ref.name": "1" } };
  await writeFile(join(dir, "layout/index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  await writeFile(join(dir, "layout/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
});

afterAll(() => rm(dir, { recursive: true, force: true }));

const inspect = (...options: string[]) =>
  runMote(["inspect", `oci:${dir}/layout:1`, "--cache", join(dir, "cache"), ...options]);

describe("mote inspect", () => {
  it("shows an image without its layers, and escapes the text in it", async () => {
    const shown = await inspect();
    expect(shown).toMatchObject({ status: 0, stderr: "" });
    expect(shown.stdout).toContain("layer 1");
    expect(shown.stdout).toContain("A=\\u001b[2J");
    const document = await inspect("--json");
    for (const text of [shown.stdout, document.stdout]) {
      for (const character of ["\u001b", "\u202e"]) expect(text).not.toContain(character);
    }
    expect(JSON.parse(document.stdout).images[0].config.env).toEqual([`A=${clear}`]);
  });

  it("prints the manifest and the config byte for byte, and the digest", async () => {
    expect((await inspect("--raw")).stdout).toBe(new TextDecoder().decode(manifest));
    expect((await inspect("--config")).stdout).toBe(new TextDecoder().decode(config));
    expect((await inspect("--digest")).stdout).toBe(`${digestBytes(manifest)}\n`);
  });

  it("rejects options that exclude each other, and a name that does not exist", async () => {
    for (const options of [
      ["--raw", "--digest"],
      ["--config", "--json"],
      ["--all-platforms", "--platform", "linux/arm64"],
    ]) {
      expect(await inspect(...options)).toMatchObject({ status: 2, stdout: "" });
    }
    const absent = await runMote(["inspect", `oci:${dir}/layout:2`, "--cache", join(dir, "cache")]);
    expect(absent).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(/^mote: .*"1"\n$/) });
  });
});
