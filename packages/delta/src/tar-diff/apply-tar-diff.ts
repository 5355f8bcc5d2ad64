import { type Cancellable, MoteError } from "@mote/core";
import type { OldFiles } from "./old-files.js";
import { OldPosition } from "./old-position.js";
import { invalidDiff, OperationReader } from "./operation-reader.js";
import { operations, tarDiffMagic } from "./operations.js";
import { plainPath } from "./tar-parts.js";

const zstdMagic = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
/** Linux's limit on a path. */
const maxPathBytes = 4096;
/** Operations that yield nothing, beyond those that the content allows for. */
const moreOperationBytes = 16 * 1024 * 1024;
/** Small operations are joined into chunks of this size. */
const chunkBytes = 64 * 1024;

export interface ApplyTarDiffOptions extends Cancellable {
  /** Limit on the bytes of the content. */
  readonly maxBytes: number;
  /** Decompresses zstd with a bounded window, and throws if the stream is damaged or truncated. */
  readonly uncompress: (zstd: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
}

/**
 * Yields the content that a tar-diff makes of files of OLD. Nothing is known of the content until its digest is compared.
 * @throws MOTE_INVALID_ARCHIVE if the diff is damaged or truncated, or does not belong to OLD · MOTE_TOO_LARGE · what `uncompress` throws
 */
export async function* applyTarDiff(
  diff: AsyncIterable<Uint8Array>,
  old: Pick<OldFiles, "get">,
  { maxBytes, uncompress, signal }: ApplyTarDiffOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using reader = new OperationReader(uncompress(withoutMagic(diff)), 2 * maxBytes + moreOperationBytes);
  const waiting = new Uint8Array(chunkBytes);
  let waitingBytes = 0;
  let total = 0;
  for await (const bytes of appliedOperations(reader, old, maxBytes)) {
    signal?.throwIfAborted();
    total += bytes.byteLength;
    if (total > maxBytes)
      throw new MoteError("MOTE_TOO_LARGE", `the content of a delta has more than ${maxBytes} bytes`);
    if (waitingBytes + bytes.byteLength > chunkBytes) {
      yield waiting.slice(0, waitingBytes);
      waitingBytes = 0;
    }
    if (bytes.byteLength > chunkBytes) yield bytes;
    else {
      waiting.set(bytes, waitingBytes);
      waitingBytes += bytes.byteLength;
    }
  }
  if (waitingBytes > 0) yield waiting.slice(0, waitingBytes);
}

async function* appliedOperations(
  reader: OperationReader,
  old: Pick<OldFiles, "get">,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let source: OldPosition | undefined;
  for (let operation = await reader.next(); operation !== undefined; operation = await reader.next()) {
    const { kind, size } = operation;
    if (kind === operations.open) {
      source = await open(reader, size, old);
      continue;
    }
    if (kind === operations.data) {
      if (size > maxBytes)
        throw new MoteError("MOTE_TOO_LARGE", `the content of a delta has more than ${maxBytes} bytes`);
      yield* reader.data(size);
      continue;
    }
    if (kind !== operations.copy && kind !== operations.addData && kind !== operations.seek) {
      throw invalidDiff(`the operation ${kind} does not exist`);
    }
    if (source === undefined) throw invalidDiff("it reads a file before it opens one");
    if (kind === operations.seek) source.seek(size);
    else if (kind === operations.addData) {
      for await (const differences of reader.data(size)) yield* added(source, differences);
    } else {
      for (let left = size; left > 0; ) {
        const bytes = await source.read(left);
        left -= bytes.byteLength;
        yield bytes;
      }
    }
  }
}

async function open(reader: OperationReader, size: number, old: Pick<OldFiles, "get">): Promise<OldPosition> {
  if (size > maxPathBytes) throw invalidDiff(`a path has more than ${maxPathBytes} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const bytes of reader.data(size)) chunks.push(bytes);
  const path = plainPath(Buffer.concat(chunks));
  const file = path === undefined ? undefined : old.get(path);
  if (file === undefined) throw invalidDiff("it needs a file that the old image does not have", { path });
  return new OldPosition(file);
}

async function* added(source: OldPosition, differences: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < differences.byteLength; ) {
    const bytes = await source.read(differences.byteLength - at);
    for (let each = 0; each < bytes.byteLength; each++) {
      bytes[each] = ((bytes[each] ?? 0) + (differences[at + each] ?? 0)) & 0xff;
    }
    at += bytes.byteLength;
    yield bytes;
  }
}

/** Yields what follows the magic number, which must begin as zstd. */
async function* withoutMagic(diff: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const magic = Buffer.concat([tarDiffMagic, zstdMagic]);
  let start: Uint8Array | undefined = new Uint8Array(0);
  for await (const chunk of diff) {
    if (start === undefined) {
      yield chunk;
      continue;
    }
    start = Buffer.concat([start, chunk]);
    if (start.byteLength < magic.byteLength) continue;
    if (!magic.equals(start.subarray(0, magic.byteLength))) throw invalidDiff("it does not begin as a tar-diff");
    yield start.subarray(tarDiffMagic.byteLength);
    start = undefined;
  }
  if (start !== undefined) throw invalidDiff("it does not begin as a tar-diff");
}
