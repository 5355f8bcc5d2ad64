import { randomBytes } from "node:crypto";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";
import { afterEach, describe, expect, it } from "vitest";
import { makeImage } from "../../test/image.js";
import { codeOf, read, sameBytes } from "../../test/outcome.js";
import { type Handler, serve } from "../../test/server.js";
import { RegistryClient } from "../client.js";
import { RegistryRepository } from "../pull/repository.js";

const text = new TextEncoder().encode(JSON.stringify({ noise: randomBytes(50_000).toString("base64") }));
const layer = new Uint8Array(gzipSync(randomBytes(60_000)));
const describeBytes = (mediaType: string, bytes: Uint8Array): Descriptor => ({
  mediaType,
  digest: digestBytes(bytes),
  size: bytes.byteLength,
});
const layerOf = describeBytes(mediaTypes.ociLayerGzip, layer);
const configOf = describeBytes(mediaTypes.ociConfig, text);
const fileOf = describeBytes(mediaTypes.octetStream, text);

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function open(answer: Handler) {
  const server = await serve(answer);
  const client = new RegistryClient({ retryDelayMs: 1 });
  opened.push(server, client);
  return { server, repository: new RegistryRepository(client, { registry: server.host, repository: "a/b" }) };
}

/** Sends the bytes with this Content-Encoding, with their length or in chunks. */
const labelled =
  (label: string | string[], bytes: Uint8Array, hasLength = true): Handler =>
  (_, response) => {
    response.setHeader("content-encoding", label);
    if (hasLength) response.setHeader("content-length", bytes.byteLength);
    else response.setHeader("transfer-encoding", "chunked");
    response.writeHead(200).end(bytes);
  };

const labels = [
  "gzip",
  "x-gzip",
  "GZIP",
  "deflate",
  "br",
  "zstd",
  "compress",
  "aws-chunked",
  "Identity",
  "",
  " ",
  "identity, gzip",
  "gzip,aws-chunked",
  ["gzip", "gzip"],
  "utf-8",
  "none",
];

describe("a blob", () => {
  it("with the header of a coding that it does not have is read unchanged", async () => {
    for (const label of labels) {
      for (const [descriptor, bytes] of [
        [layerOf, layer],
        [configOf, text],
        [fileOf, text],
      ] as const) {
        // These may be encoded or not.
        const isTold = !/deflate|br/.test(String(label)) || descriptor !== configOf;
        for (const hasLength of isTold ? [true, false] : [true]) {
          const { repository } = await open(labelled(label, bytes, hasLength));
          const came = await read(await repository.blob(descriptor));
          expect([label, descriptor.mediaType, hasLength, sameBytes(came, bytes)]).toEqual([
            label,
            descriptor.mediaType,
            hasLength,
            true,
          ]);
        }
      }
    }
  });

  it("that is encoded is decoded if its length, its type or its first bytes show that", async () => {
    const codings: [string, (bytes: Uint8Array) => Uint8Array][] = [
      ["gzip", gzipSync],
      ["x-gzip", gzipSync],
      ["deflate", deflateSync],
      ["br", brotliCompressSync],
      ["gzip, gzip", (bytes) => gzipSync(gzipSync(bytes))],
    ];
    for (const [label, encode] of codings) {
      for (const [descriptor, bytes, lengths] of [
        [configOf, text, [true, false]],
        [layerOf, layer, [true]],
        [fileOf, text, [true]],
      ] as const) {
        for (const hasLength of lengths) {
          const { repository } = await open(labelled(label, encode(bytes), hasLength));
          const came = await read(await repository.blob(descriptor));
          expect([label, descriptor.mediaType, hasLength, sameBytes(came, bytes)]).toEqual([
            label,
            descriptor.mediaType,
            hasLength,
            true,
          ]);
        }
      }
    }
  });

  it("whose coding only the digest shows is read the other way after a mismatch, once", async () => {
    const { repository } = await open(labelled("gzip", gzipSync(layer), false));
    expect(await codeOf(repository.blob(layerOf).then(read))).toMatch(/_MISMATCH$/);
    expect(repository.reportCorruption(layerOf)).toBe(true);
    expect(sameBytes(await read(await repository.blob(layerOf)), layer)).toBe(true);
    expect(repository.reportCorruption(layerOf)).toBe(false);
    const plain = await open(labelled("identity", layer));
    await read(await plain.repository.blob(layerOf));
    expect(plain.repository.reportCorruption(layerOf)).toBe(false);
  });

  it("that is encoded and interrupted continues at the same byte", async () => {
    const coded = gzipSync(text);
    let cuts = 0;
    const { server, repository } = await open((request, response) => {
      if (cuts++ > 0) return labelled("gzip", coded)(request, response);
      response.writeHead(200, { "content-encoding": "gzip", "content-length": coded.byteLength });
      return response.write(coded.subarray(0, 30_000), () => response.socket?.destroy());
    });
    expect(sameBytes(await read(await repository.blob(configOf)), text)).toBe(true);
    expect(server.seen.map(({ headers }) => headers.range)).toEqual([undefined, undefined]);
  });

  it("that expands beyond its size is rejected without reading further", async () => {
    const bomb = gzipSync(new Uint8Array(50_000_000));
    const { repository } = await open(labelled("gzip", bomb));
    expect(await codeOf(repository.blob(configOf).then(read))).toBe("MOTE_SIZE_MISMATCH");
  });

  it("with a damaged encoded body is a mismatch", async () => {
    const coded = new Uint8Array(gzipSync(text));
    coded.fill(0xff, 1000, 2000);
    const { repository } = await open(labelled("gzip", coded));
    expect(await codeOf(repository.blob(configOf).then(read))).toMatch(/_MISMATCH$/);
  });
});

describe("a manifest", () => {
  const image = makeImage(100);
  const { manifest, manifestBytes } = image;
  const type = { "content-type": mediaTypes.ociManifest };

  it("is read as the bytes of its digest, with or without the coding in its header, by digest and by tag", async () => {
    const bodies: [string, Uint8Array][] = [
      ...labels.map((label): [string, Uint8Array] => [String(label), manifestBytes]),
      ["gzip", gzipSync(manifestBytes)],
      ["x-gzip", gzipSync(manifestBytes)],
      ["deflate", deflateSync(manifestBytes)],
      ["br", brotliCompressSync(manifestBytes)],
    ];
    for (const [label, body] of bodies) {
      for (const digest of [{}, { "docker-content-digest": manifest.digest }]) {
        const { repository } = await open((request, response) => {
          const headers = { ...type, ...digest, "content-encoding": label, "content-length": body.byteLength };
          response.writeHead(200, headers).end(request.method === "HEAD" ? undefined : body);
        });
        expect([label, await repository.manifest(manifest)]).toEqual([label, manifestBytes]);
        expect([label, (await repository.load("v1")).descriptor]).toEqual([label, manifest]);
      }
    }
  });

  it("that expands beyond the limit of manifests is too large", async () => {
    const body = gzipSync(new Uint8Array(50_000_000));
    const { repository } = await open((_, response) => {
      response.writeHead(200, { ...type, "content-encoding": "gzip" }).end(body);
    });
    expect(await codeOf(repository.load("v1"))).toBe("MOTE_TOO_LARGE");
  });

  it("has the media type of its body, not that of the header", async () => {
    for (const label of [
      undefined,
      "",
      "text/plain",
      "text/html; charset=utf-8",
      "application/octet-stream",
      "APPLICATION/JSON; charset=utf-8",
      "application/vnd.oci.image.index.v1+json",
      "application/vnd.docker.distribution.manifest.v2+json",
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ]) {
      const { repository } = await open((_, response) => {
        response.writeHead(200, label === undefined ? {} : { "content-type": label }).end(manifestBytes);
      });
      expect([label, (await repository.load("v1")).descriptor]).toEqual([label, manifest]);
      expect([label, await repository.manifest(manifest)]).toEqual([label, manifestBytes]);
    }
  });
});
