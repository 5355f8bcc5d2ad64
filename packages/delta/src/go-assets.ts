import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createBrotliDecompress } from "node:zlib";

/** Encoders of one version of Go and of klauspost's modules, as WebAssembly. `go/build.mjs` builds them. */
export interface GoAsset {
  readonly file: string;
  /** Of the uncompressed WebAssembly. */
  readonly sha256: string;
  /** The version of Go's own gzip. */
  readonly go: string;
  /** The version of the deflate and zstd of klauspost. */
  readonly klauspost: string;
}

export const goAssets: readonly GoAsset[] = [
  {
    file: "encoders-go1.26.wasm.br",
    sha256: "1f3b04b2fdb3da2e7e142a457150d3548efb34bcb227a46fe72e9e0f4f46fee4",
    go: "1.26",
    klauspost: "1.20.0",
  },
  {
    file: "encoders-go1.27.wasm.br",
    sha256: "ef0dee11a92429d54242957761beeb0b17be2674f9410b7632c50c00e24cd3cb",
    go: "1.27",
    klauspost: "1.20.4",
  },
];

declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>;
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

const pageBytes = 64 * 1024;

/** Node does not declare it. */
export type WasmModule = object;

const compiled = new Map<GoAsset, Promise<WasmModule>>();

/** Compiles an asset, once per process. @throws Error if it is missing or is not the recorded one */
export function compileAsset(asset: GoAsset): Promise<WasmModule> {
  const known = compiled.get(asset);
  if (known !== undefined) return known;
  const compiling = read(asset).then((bytes) => WebAssembly.compile(bytes));
  compiled.set(asset, compiling);
  compiling.catch(() => compiled.delete(asset));
  return compiling;
}

async function read({ file, sha256 }: GoAsset): Promise<Uint8Array> {
  const decompressing = createBrotliDecompress({ chunkSize: pageBytes });
  decompressing.end(await readFile(new URL(`../assets/${file}`, import.meta.url)));
  const hash = createHash("sha256");
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of decompressing) {
    hash.update(chunk);
    chunks.push(chunk);
    size += chunk.byteLength;
  }
  if (hash.digest("hex") !== sha256) throw new Error(`${file} is damaged`);
  // Not from malloc: glibc keeps up to twice the size of the largest block that was ever freed, for each thread that compiles.
  const { buffer } = new WebAssembly.Memory({ initial: Math.ceil(size / pageBytes) });
  const bytes = new Uint8Array(buffer, 0, size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
