import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, MoteError, type MoteReader, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LayoutSource } from "./layout-source.js";

let dir: string;
let source: LayoutSource;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-layout-"));
  mkdirSync(join(dir, "blobs", "sha256"), { recursive: true });
  writeFileSync(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  source = new LayoutSource(dir);
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const refName = "org.opencontainers.image.ref.name";
const blobFile = ({ digest }: Descriptor) => join(dir, "blobs", "sha256", digest.slice(7));

function put(bytes: Uint8Array, mediaType: string = mediaTypes.octetStream): Descriptor {
  const descriptor: Descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
  writeFileSync(blobFile(descriptor), bytes);
  return descriptor;
}

function putManifest(seed: number): Descriptor {
  const config = put(new TextEncoder().encode(`{"seed":${seed}}`), mediaTypes.ociConfig);
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] };
  return put(new TextEncoder().encode(JSON.stringify(body)), mediaTypes.ociManifest);
}

function list(...manifests: readonly (Descriptor | [string, Descriptor])[]): void {
  const entries = manifests.map((one) =>
    Array.isArray(one) ? { ...one[1], annotations: { ...one[1].annotations, [refName]: one[0] } } : one,
  );
  writeFileSync(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: entries }));
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : error;
  }
  return "nothing was thrown";
}

async function lengths(reader: MoteReader): Promise<number[]> {
  const found: number[] = [];
  for await (const chunk of reader) found.push(chunk.byteLength);
  return found;
}

describe("a layout as source", () => {
  it("resolves tags, digests, positions in index.json, and the only image", async () => {
    const one = putManifest(1);
    const two = { ...putManifest(2), annotations: { note: "kept" } };
    list(["v1", one], ["v2", two], ["also-v2", two]);
    const path = { transport: "oci", path: dir } as const;
    expect(await source.resolve("v1")).toEqual(one);
    expect(await source.resolve({ ...path, tag: "v2" })).toEqual(two);
    expect(await source.resolve("@1")).toEqual(two);
    expect(await source.resolve({ ...path, index: 0 })).toEqual(one);
    expect(await source.resolve(two.digest)).toEqual(two);
    expect(await source.resolve({ ...path, digest: one.digest })).toEqual(one);
    expect(await codeOf(source.resolve(path))).toBe("MOTE_NOT_FOUND");
    list(["v2", two], ["also-v2", two]);
    expect(await source.resolve(path)).toEqual(two);
    expect(await source.resolve("")).toEqual(two);
  });

  it("resolves a digest without an entry, and reads its type from its body", async () => {
    const one = putManifest(1);
    list();
    expect(await source.resolve(one.digest)).toEqual(one);
    expect(await codeOf(source.resolve(digestBytes(new Uint8Array(1))))).toBe("MOTE_NOT_FOUND");
  });

  it("lists the tags if a tag is unknown", async () => {
    list(["v1", putManifest(1)], putManifest(2));
    const failure = await source.resolve("v3").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "MOTE_NOT_FOUND", details: { wanted: "v3", tags: ["v1"] } });
    expect(await codeOf(source.resolve("@2"))).toBe("MOTE_NOT_FOUND");
  });

  it("rejects a tag of several manifests as ambiguous", async () => {
    list(["v1", putManifest(1)], ["v1", putManifest(2)]);
    expect(await codeOf(source.resolve("v1"))).toBe("MOTE_INVALID_MANIFEST");
  });

  it("tells an absent directory from one that is not a layout or of another version", async () => {
    expect(await codeOf(new LayoutSource(join(dir, "nowhere")).resolve("v1"))).toBe("MOTE_NOT_FOUND");
    expect(await codeOf(new LayoutSource(join(dir, "oci-layout")).resolve("v1"))).toBe("MOTE_NOT_FOUND");
    expect(await codeOf(new LayoutSource(join(dir, "blobs")).resolve("v1"))).toBe("MOTE_UNSUPPORTED_FORMAT");
    writeFileSync(join(dir, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
    expect(await codeOf(source.resolve("v1"))).toBe("MOTE_UNSUPPORTED_FORMAT");
    writeFileSync(join(dir, "oci-layout"), "no JSON");
    expect(await codeOf(source.resolve("v1"))).toBe("MOTE_INVALID_MANIFEST");
  });

  it("rejects an invalid index.json", async () => {
    for (const content of ['{"manifests":[{}]}', "no JSON"]) {
      writeFileSync(join(dir, "index.json"), content);
      const error = { code: "MOTE_INVALID_MANIFEST", details: { path: expect.stringContaining(dir) } };
      await expect(source.resolve("v1")).rejects.toMatchObject(error);
    }
  });

  it("reads blobs in chunks of 1 MiB, completely or from an offset", async () => {
    const bytes = new Uint8Array(2.5 * 1024 * 1024).map((_, at) => at * 7);
    const blob = put(bytes);
    const reader = await source.blob(blob);
    expect(reader.info).toEqual(blob);
    expect(await lengths(reader)).toEqual([1048576, 1048576, 524288]);
    expect(await lengths(await source.blob(blob, { start: 2 * 1024 * 1024 + 1 }))).toEqual([524287]);
    expect(await lengths(await source.blob(blob, { start: bytes.byteLength }))).toEqual([]);
    expect(await lengths(await source.blob(put(new Uint8Array(0))))).toEqual([]);
  });

  it("fails with MOTE_CORRUPT if a blob is damaged or truncated, unless verification is off", async () => {
    const blob = put(new Uint8Array(1500).fill(1));
    writeFileSync(blobFile(blob), new Uint8Array(1500).fill(2));
    expect(await codeOf(source.blob(blob).then(lengths))).toBe("MOTE_CORRUPT");
    expect(await lengths(await source.blob(blob, { verifyOnRead: false }))).toEqual([1500]);
    truncateSync(blobFile(blob), 10);
    expect(await codeOf(source.blob(blob).then(lengths))).toBe("MOTE_CORRUPT");
    expect(await codeOf(source.manifest(blob))).toBe("MOTE_CORRUPT");
  });

  it("reports a missing blob", async () => {
    const blob = put(new Uint8Array(1));
    rmSync(blobFile(blob));
    expect(await codeOf(source.blob(blob))).toBe("MOTE_NOT_FOUND");
    expect(await codeOf(source.manifest(blob))).toBe("MOTE_NOT_FOUND");
  });

  it("does not read a manifest of more than 4 MiB", async () => {
    expect(await codeOf(source.manifest(put(new Uint8Array(4 * 1024 * 1024 + 1))))).toBe("MOTE_TOO_LARGE");
  });

  it.skipIf(process.platform === "win32")("does not hang on a FIFO in place of a blob", async () => {
    const blob = put(new Uint8Array(1));
    rmSync(blobFile(blob));
    execFileSync("mkfifo", [blobFile(blob)]);
    expect(await codeOf(source.blob(blob))).toBe("MOTE_IO");
  });

  it("closes readers more than once, and does not read a closed one", async () => {
    const reader = await source.blob(put(new Uint8Array(10)));
    await reader.close();
    await reader.close();
    expect(await codeOf(lengths(reader))).toBe("MOTE_CLOSED");
  });

  it("rejects with the reason of the signal when aborted", async () => {
    const blob = put(new Uint8Array(3 * 1024 * 1024));
    const controller = new AbortController();
    const reason = new Error("enough");
    const reader = await source.blob(blob, { signal: controller.signal });
    const reading = (async () => {
      for await (const _ of reader) controller.abort(reason);
    })();
    expect(await codeOf(reading)).toBe(reason);
  });
});
