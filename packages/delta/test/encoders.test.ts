import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { builtInEncoders } from "../src/index.js";
import { sampleContent } from "./sample-content.js";

const encoders = builtInEncoders();
afterAll(() => encoders[Symbol.asyncDispose]());

const content = sampleContent(1_200_000);

async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

async function encoded(name: string, bytes: Uint8Array = content): Promise<Buffer> {
  const encoder = encoders.list.find((each) => each.name === name);
  if (encoder === undefined) throw new Error(`there is no encoder ${name}`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of encoder.encode(inChunks(bytes, 100_001))) chunks.push(new Uint8Array(chunk));
  return Buffer.concat(chunks);
}

// What programs built with these versions write for the same content; those of pgzip are made with the module itself.
describe.each([
  ["gzip:go1.26-1", "b84b81a1ecbe3d6085c8f3e16621cf7e8909cfe244ddd5e6a5db64b5be6ebcb5"],
  ["gzip:go1.26-6", "bb73d140eefbc40b9cf99eff49dc9a4e27a3f7e9cc3942df18316ca6d848bff6"],
  ["gzip:go1.27-1", "d48d55a8f6eb12768169384ba8846093dcd091550d6b5ae815da760241598dcb"],
  ["gzip:go1.27-6", "b3f0f0aa3d029cd7e483934d85cc8df4b4e4c25ef4d176177ae17da5f533e156"],
  ["gzip:pgzip1.20.0-5", "4d5f93d75027098b2801740fcf66d63a704a8d003aa3ca7a6afd152ac9e9d626"],
  ["gzip:pgzip1.20.4-5", "c454879fb32ca979e31222d2cbbc1c98826c9ce4f782a39ec8c87e6b10542788"],
  ["gzip:pgzip1.17-5", "53041d81dbaa14b12dd07ea33f17e01d4fc8463293992922eb8a8a025e40b117"],
  ["zstd:klauspost1.20.0-2", "bd16633ae8322112aa7c2b8d44aebf5f77197bcf0c9474aae22b96a2cd5e2432"],
  ["zstd:klauspost1.20.4-2", "c114f7458ec788bd4010b2586c52922ef91d2f7cff2c58560b7eab0637020222"],
])("%s", (name, sha256) => {
  it("makes the same bytes as the program", async () => {
    const bytes = await encoded(name);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
    expect(encoders.list.filter((each) => each.probe(bytes)).map((each) => each.name)).toContain(name);
  });
});

it.each([
  ["zstd:klauspost1.20.0-4", "4dd5faa2d10524cfc1b1329fd10d9fb33df3527dd972d85e44069245bcf4bc54"],
  ["zstd:klauspost1.20.4-4", "6a638faf935b5bbd4372bd6c5df4524fba4f5827f9a3165ad1866272a9fedd5c"],
])("%s makes the same bytes with a smaller history, for content of more than one window", async (name, sha256) => {
  const bytes = await encoded(name, sampleContent(10_000_000));
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
});

it("gzip of any size is complete, also of nothing and of whole blocks", async () => {
  for (const name of ["gzip:go1.26-6", "gzip:pgzip1.20.0-5", "gzip:pgzip1.17-5", "gzip:zlib-9"]) {
    for (const size of [0, 1, 1 << 20, (1 << 20) + 1]) {
      const bytes = content.subarray(0, size);
      expect(gunzipSync(await encoded(name, bytes)).equals(bytes), `${name} of ${size} bytes`).toBe(true);
    }
  }
});

it("an encoder that is abandoned does not disturb the next one", async () => {
  for (const name of ["gzip:pgzip1.20.0-5", "zstd:klauspost1.20.0-2"]) {
    const encoder = encoders.list.find((each) => each.name === name);
    for await (const _ of encoder?.encode(inChunks(content, 300_000)) ?? []) break;
  }
  expect(gunzipSync(await encoded("gzip:go1.26-1")).equals(content)).toBe(true);
});

it("an abort ends an encoder that waits for its content", async () => {
  async function* stalled(): AsyncGenerator<Uint8Array> {
    yield content.subarray(0, 1000);
    await new Promise(() => {});
  }
  for (const name of ["gzip:go1.26-6", "gzip:zlib-6"]) {
    const encoder = encoders.list.find((each) => each.name === name);
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of encoder?.encode(stalled(), { signal: controller.signal }) ?? []);
    })();
    controller.abort(new Error("aborted"));
    await expect(reading).rejects.toThrow("aborted");
  }
});
