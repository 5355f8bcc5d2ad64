import { pipeline, Readable, type Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { collectChunks, type Digest, digestAlgorithm, digestBytes, hasCode, MoteError } from "@mote/core";
import { copies, joined } from "./chunks.js";
import type { HttpResponse } from "./http-transport.js";

/** A content coding (RFC 9110, section 8.4.1), and the first bytes of a body encoded with it. */
interface Coding {
  readonly decoder: () => Transform;
  /** Undefined if any bytes may come first. */
  readonly magic?: readonly number[];
}

const gzip: Coding = { decoder: createGunzip, magic: [0x1f, 0x8b] };
const known: Readonly<Record<string, Coding | undefined>> = {
  gzip,
  "x-gzip": gzip,
  deflate: { decoder: createInflate, magic: [0x78] },
  br: { decoder: createBrotliDecompress },
};

/**
 * Returns the codings of `Content-Encoding` that may really apply, in the order applied. Many servers mislabel unencoded
 * bodies: a gzip blob as `gzip` or `x-gzip`, S3's `aws-chunked`, an empty label.
 */
export function namedCodings(response: Pick<HttpResponse, "headers">): readonly string[] {
  const names = response.headers("content-encoding").flatMap((header) => header.toLowerCase().split(","));
  return names.map((name) => name.trim()).filter((name) => Object.hasOwn(known, name));
}

/** Decodes a body, the last coding first; passes on one that does not begin like it. @throws MOTE_DIGEST_MISMATCH if it is damaged */
export function decoded(chunks: AsyncIterable<Uint8Array>, codings: readonly string[]): AsyncIterable<Uint8Array> {
  return codings.reduceRight((coded, name) => decodedOnce(coded, known[name] ?? gzip), chunks);
}

async function* decodedOnce(
  coded: AsyncIterable<Uint8Array>,
  { decoder, magic = [] }: Coding,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = copies(coded);
  const head: Uint8Array[] = [];
  let length = 0;
  while (length < magic.length) {
    const { done, value } = await chunks.next();
    if (done) break;
    head.push(value);
    length += value.byteLength;
  }
  const first = new Uint8Array(Buffer.concat(head));
  const all = length === 0 ? chunks : joined(first, chunks);
  if (!magic.every((byte, at) => first[at] === byte)) return yield* all;
  const decoding = decoder();
  // The decoder's reader gets the error.
  pipeline(Readable.from(all, { objectMode: false }), decoding, () => {});
  try {
    for await (const chunk of decoding) yield chunk;
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw new MoteError("MOTE_DIGEST_MISMATCH", `the body cannot be decoded: ${error.message}`, { cause: error });
  }
}

/** Reads a document as the bytes that match a digest; otherwise as JSON, decoding it if necessary. */
export async function collectDocument(
  response: Pick<HttpResponse, "headers" | "body">,
  { digests, ...bound }: { readonly maxBytes: number; readonly what: string; readonly digests: readonly Digest[] },
): Promise<Uint8Array> {
  const bytes = await collectChunks(response.body, bound);
  const codings = namedCodings(response);
  if (codings.length === 0 || isNamed(bytes, digests)) return bytes;
  let plain: Uint8Array;
  try {
    plain = await collectChunks(decoded(Readable.from([bytes]), codings), bound);
  } catch (error) {
    if (!hasCode(error, "MOTE_DIGEST_MISMATCH")) throw error;
    return bytes;
  }
  return isNamed(plain, digests) || !mayBeJson(bytes) ? plain : bytes;
}

function isNamed(bytes: Uint8Array, digests: readonly Digest[]): boolean {
  return digests.some((digest) => digestBytes(bytes, digestAlgorithm(digest)) === digest);
}

/** Returns whether the first byte that is not white space begins a JSON object. */
export function mayBeJson(bytes: Uint8Array): boolean {
  return /^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64)));
}

/** Errors of zlib; a truncated body ends in the connection's error instead. */
function isZlibError(error: unknown): error is Error {
  return (
    error instanceof Error && "code" in error && /^(?:Z_|ERR__?ERROR|ERR_BROTLI|ERR_ZLIB)/.test(String(error.code))
  );
}
