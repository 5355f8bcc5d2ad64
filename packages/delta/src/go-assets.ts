import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";

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
    sha256: "df107491a8bfe83cc7c28ba5113ba453975d51015cc280502f938e29dc7e51c2",
    go: "1.26",
    klauspost: "1.20.0",
  },
  {
    file: "encoders-go1.27.wasm.br",
    sha256: "4f526c4338e618c3212deda06c72334c8c87bf5a2b43334fc9046de013156952",
    go: "1.27",
    klauspost: "1.20.4",
  },
];

declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>;
};

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
  const bytes = await promisify(brotliDecompress)(await readFile(new URL(`../assets/${file}`, import.meta.url)));
  if (createHash("sha256").update(bytes).digest("hex") !== sha256) throw new Error(`${file} is damaged`);
  return bytes;
}
