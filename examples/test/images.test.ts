import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { LayoutDestination } from "@mote/layout";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runTypeScript } from "../../docs/test/run-typescript.js";

const examples = fileURLToPath(new URL("..", import.meta.url));
const json = (document: object) => new TextEncoder().encode(JSON.stringify(document));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mote-examples-"));
  await using layout = new LayoutDestination(join(folder, "images"));
  const put = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
    await layout.blob(descriptor, one(bytes));
    return descriptor;
  };
  const config = await put(json({ architecture: "amd64", os: "linux" }), mediaTypes.ociConfig);
  const layers = [
    await put(new Uint8Array(gzipSync(tarOf("etc/motd", "below"))), mediaTypes.ociLayerGzip),
    await put(tarOf("./etc/motd", "hello"), mediaTypes.ociLayer),
    await put(tarOf("etc/.wh.gone", ""), mediaTypes.ociLayer),
  ];
  for (const [tag, annotations] of [
    ["plain", {}],
    ["sourced", { "org.opencontainers.image.source": "https://source.example/app" }],
  ] as const) {
    const bytes = json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers, annotations });
    const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
    await layout.manifest(manifest, bytes);
    await layout.tag(tag, manifest);
  }
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

async function run(file: string, ...args: readonly string[]) {
  const source = await readFile(join(examples, file), "utf8");
  return runTypeScript(examples, source, file.replace(/\W/g, "-"), { args, cwd: folder });
}

it("read-file.ts prints a file from the uppermost layer", async () => {
  expect((await run("read-file.ts", `oci:${folder}/images:plain`, "etc/motd")).stdout).toBe("hello");
});

it.each(["etc/gone", "etc/none"])("read-file.ts fails if there is no such file: %s", async (path) => {
  await expect(run("read-file.ts", `oci:${folder}/images:plain`, path)).rejects.toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("MOTE_NOT_FOUND"),
  });
});

it("read-layers.ts lists the entries of each layer", async () => {
  const { stdout } = await run("read-layers.ts", `oci:${folder}/images:plain`);
  expect(stdout.split("\n").filter((line) => line.startsWith("  "))).toEqual([
    '  file "etc/motd"',
    '  file "./etc/motd"',
    '  file "etc/.wh.gone"',
  ]);
});

it("policy.ts pulls only images that pass the policy", async () => {
  expect((await run("policy.ts", `oci:${folder}/images:sourced`)).stdout).toContain("oci:");
  await expect(run("policy.ts", `oci:${folder}/images:plain`)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("MOTE_FORBIDDEN"),
  });
});

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/** An uncompressed tar of one file. */
function tarOf(name: string, text: string): Uint8Array {
  const tar = Buffer.alloc(512 + 512 * Math.ceil(text.length / 512) + 1024);
  tar.write(name, 0);
  tar.write("0000644\0", 100);
  tar.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124);
  tar.write("        0", 148);
  tar.write("ustar\x0000", 257);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  tar.write(text, 512);
  return new Uint8Array(tar);
}
