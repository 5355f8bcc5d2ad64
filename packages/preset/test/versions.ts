import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Digest, digestBytes, mediaTypes } from "@mote/core";
import type { Encoder } from "@mote/delta";

/** The content of files, by path. */
export type Files = Readonly<Record<string, Uint8Array>>;

/** Returns bytes of which about half are compressed away. The same for the same seed. */
export function bytesFrom(seed: string, size: number): Uint8Array {
  const lines: string[] = [];
  for (let at = 0; at * 64 < size; at++) lines.push(createHash("sha256").update(`${seed} ${at}`).digest("hex"));
  return Buffer.from(lines.join("")).subarray(0, size);
}

/** Returns a copy with other bytes in the middle. */
function edited(bytes: Uint8Array, text: string): Uint8Array {
  const middle = bytes.byteLength >> 1;
  return Buffer.concat([bytes.subarray(0, middle), Buffer.from(text), bytes.subarray(middle)]);
}

const blockBytes = 512;

/** Returns a tar of regular files. */
export function tarOf(files: Files): Uint8Array {
  const entries = Object.entries(files).flatMap(([name, bytes]) => [
    header(name, bytes.byteLength),
    bytes,
    new Uint8Array(-bytes.byteLength & (blockBytes - 1)),
  ]);
  return Buffer.concat([...entries, new Uint8Array(2 * blockBytes)]);
}

function header(name: string, size: number): Uint8Array {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  block.write(name, 0, 100);
  for (const at of [100, 108, 116]) octal(at === 100 ? 0o644 : 0, at, 8);
  octal(size, 124, 12);
  octal(1_700_000_000, 136, 12);
  block.write("        0", 148);
  block.write("ustar\u000000", 257, "latin1");
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

export interface BuiltLayer {
  readonly bytes: Uint8Array;
  /** Its uncompressed content. */
  readonly tar: Uint8Array;
}

interface Blob {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** The manifest, the config and the layers of an image. */
export interface BuiltImage {
  readonly manifest: { readonly bytes: Uint8Array; readonly descriptor: Blob };
  readonly blobs: readonly Uint8Array[];
}

/** Builds an image of these layers. */
export function imageOf(layers: readonly BuiltLayer[], architecture = "amd64"): BuiltImage {
  const blob = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: digestBytes(bytes),
    size: bytes.byteLength,
  });
  const rootfs = { type: "layers", diff_ids: layers.map(({ tar }) => digestBytes(tar)) };
  const configBytes = Buffer.from(JSON.stringify({ architecture, os: "linux", rootfs }));
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: blob(mediaTypes.ociConfig, configBytes),
    layers: layers.map(({ bytes }) => blob(mediaTypes.ociLayerGzip, bytes)),
  };
  const bytes = Buffer.from(JSON.stringify(body));
  return {
    manifest: { bytes, descriptor: blob(mediaTypes.ociManifest, bytes) },
    blobs: [configBytes, ...layers.map((layer) => layer.bytes)],
  };
}

/** Returns a layer of these files, as Docker compresses it. */
export async function encodedLayer(files: Files, encoders: readonly Encoder[]): Promise<BuiltLayer> {
  const tar = tarOf(files);
  const encoder = encoders.find(({ name }) => name === "gzip:go1.26-6");
  async function* once() {
    yield tar;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of encoder?.encode(once()) ?? []) chunks.push(new Uint8Array(chunk));
  return { tar, bytes: Buffer.concat(chunks) };
}

export const base: Files = { "lib/base": bytesFrom("base", 600_000) };
export const data: Files = { "data/table": bytesFrom("data", 500_000) };
export const app: Files = { "bin/app": bytesFrom("app", 700_000), "etc/app.conf": Buffer.from("version 1\n") };
/** The same files, edited. */
export const newApp: Files = {
  "bin/app": edited(bytesFrom("app", 700_000), "changed"),
  "etc/app.conf": Buffer.from("version 2\n"),
};

/**
 * Returns two versions of an image. Of the layers of `next`, `old` has the first; the second was edited; the third is compressed otherwise in
 * `old`.
 */
export async function twoVersions(
  encoders: readonly Encoder[],
): Promise<{ readonly old: BuiltImage; readonly next: BuiltImage }> {
  const layer = (files: Files) => encodedLayer(files, encoders);
  const [same, changed, compressed] = [await layer(base), await layer(newApp), await layer(data)];
  const before = { tar: tarOf(data), bytes: gzipSync(tarOf(data), { level: 9 }) };
  return { old: imageOf([same, await layer(app), before]), next: imageOf([same, changed, compressed]) };
}
