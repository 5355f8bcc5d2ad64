import { type Cancellable, MoteError } from "@mote/core";
import type { OldFile } from "./old-file.js";
import type { OldFiles } from "./old-files.js";
import { OldPosition, ReadAhead } from "./old-position.js";
import { invalidDiff, OperationReader } from "./operation-reader.js";
import { operations, tarDiffMagic } from "./operations.js";
import { plainPath } from "./tar-parts.js";

const zstdMagic = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
/** Linux's limit on a path. */
const maxPathBytes = 4096;
/** Bytes of operations, beyond those that the content allows for. */
const moreOperationBytes = 16 * 1024 * 1024;
/** Operations that yield nothing, beyond two for each byte of the content so far: one that opens a file, and one that seeks. */
const moreIdleOperations = 10_000;
/** Reads of OLD, beyond one for each 32 bytes of the content so far. Records of 64 bytes in another order need one for each. */
const moreReads = 100_000;
/** The size of the chunks of the content. */
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
  const ahead = new ReadAhead();
  let source: OldPosition | undefined;
  let idle = 0;
  let chunk = new Uint8Array(chunkBytes);
  let filled = 0;
  let allowed = maxBytes;
  for (;;) {
    signal?.throwIfAborted();
    // Waiting for what is there already would take most of the time.
    const next = reader.next();
    const operation = next instanceof Promise ? await next : next;
    if (operation === undefined) break;
    const { kind, size } = operation;
    const isIdle = kind === operations.open || kind === operations.seek || size === 0;
    const made = maxBytes - allowed;
    if (isIdle && ++idle > 2 * made + moreIdleOperations) {
      throw new MoteError("MOTE_TOO_LARGE", `${idle} operations of a delta do nothing`, { details: { idle } });
    }
    if (ahead.reads > made / 32 + moreReads) {
      throw new MoteError("MOTE_TOO_LARGE", `a delta reads the old image in too many places: ${ahead.reads}`, {
        details: { reads: ahead.reads },
      });
    }
    if (kind === operations.open) {
      source = new OldPosition(await openedFile(reader, size, old), ahead);
      continue;
    }
    if (kind > operations.seek) throw invalidDiff(`the operation ${kind} does not exist`);
    if (source === undefined && kind !== operations.data) throw invalidDiff("it reads a file before it opens one");
    if (kind === operations.seek) {
      source?.seek(size);
      continue;
    }
    allowed -= size;
    if (allowed < 0) throw new MoteError("MOTE_TOO_LARGE", `the content of a delta has more than ${maxBytes} bytes`);
    for (let left = size; left > 0; ) {
      if (filled === chunkBytes) {
        yield chunk;
        chunk = new Uint8Array(chunkBytes);
        filled = 0;
      }
      const room = Math.min(left, chunkBytes - filled);
      const reading = kind === operations.copy && source !== undefined ? source.read(room) : reader.data(room);
      const bytes = reading instanceof Promise ? await reading : reading;
      chunk.set(bytes, filled);
      if (kind === operations.addData && source !== undefined) {
        const adding = addOld(chunk.subarray(filled, filled + bytes.byteLength), source);
        if (adding !== undefined) await adding;
      }
      filled += bytes.byteLength;
      left -= bytes.byteLength;
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

/** Adds bytes of OLD. Returns a promise if they must be read first. */
function addOld(bytes: Uint8Array, source: OldPosition): Promise<void> | undefined {
  const reading = source.read(bytes.byteLength);
  if (reading instanceof Promise) return reading.then((old) => added(old));
  return added(reading);

  function added(old: Uint8Array): Promise<void> | undefined {
    for (let at = 0; at < old.byteLength; at++) bytes[at] = (bytes[at] as number) + (old[at] as number);
    return old.byteLength === bytes.byteLength ? undefined : addOld(bytes.subarray(old.byteLength), source);
  }
}

async function openedFile(reader: OperationReader, size: number, old: Pick<OldFiles, "get">): Promise<OldFile> {
  if (size > maxPathBytes) throw invalidDiff(`a path has more than ${maxPathBytes} bytes`);
  const chunks: Uint8Array[] = [];
  for (let left = size; left > 0; left -= chunks.at(-1)?.byteLength ?? 0) {
    // The memory of the reader may be reused.
    chunks.push(new Uint8Array(await reader.data(left)));
  }
  const path = plainPath(Buffer.concat(chunks));
  const file = path === undefined ? undefined : old.get(path);
  if (file === undefined) throw invalidDiff("it needs a file that the old image does not have", { path });
  return file;
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
