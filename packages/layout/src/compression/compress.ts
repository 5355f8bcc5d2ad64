import { type Duplex, pipeline, Readable } from "node:stream";
import zlib, { createGzip } from "node:zlib";
import { MoteError } from "@mote/core";

/** Compresses an archive by its name's extension: `.gz` and `.tgz` with gzip, `.zst` with zstd, any other unchanged. */
export function compressedFor(path: string, chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const compressing = compressorFor(path);
  if (compressing === undefined) return chunks;
  // Read and compression errors both end the output's iteration.
  pipeline(Readable.from(chunks), compressing, () => {});
  return compressing;
}

/** @throws MOTE_UNSUPPORTED_FORMAT */
export function assertCanCompress(path: string): void {
  if (!path.endsWith(".zst") || "createZstdCompress" in zlib) return;
  throw new MoteError(
    "MOTE_UNSUPPORTED_FORMAT",
    `cannot write ${path}: Node ${process.versions.node} cannot compress with zstd; name it .tar.gz or .tar, or use Node 22.15 or later`,
    { details: { path } },
  );
}

function compressorFor(path: string): Duplex | undefined {
  if (/\.(?:gz|tgz)$/.test(path)) return createGzip({ chunkSize: 256 * 1024 });
  if (path.endsWith(".zst") && "createZstdCompress" in zlib && typeof zlib.createZstdCompress === "function") {
    return zlib.createZstdCompress({ chunkSize: 256 * 1024 });
  }
  return undefined;
}
