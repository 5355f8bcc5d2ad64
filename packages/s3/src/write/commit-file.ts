import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import {
  type CommitMode,
  ContentVerifier,
  digestEncoded,
  errorCode,
  fileKind,
  isAbsent,
  type Mote,
  MoteError,
  reasonOf,
} from "@mote/core";
import type { Payload } from "../http/exchange.js";
import { type BlobPuts, sha256Of } from "./blob-puts.js";
import { maxParts } from "./blob-target.js";

/** The maximum of one request (S3 User Guide, "Uploading objects"). */
const maxPutBytes = 5 * 1024 ** 3;
const minPartBytes = 64 * 1024 * 1024;
const chunkBytes = 1024 * 1024;

export interface FileCommit {
  readonly source: string;
  readonly mote: Mote;
  readonly mode: CommitMode;
  readonly signal: AbortSignal | undefined;
  /** The maximum size of a blob that is sent in one request. For tests. */
  readonly maxPutBytes?: number | undefined;
}

/**
 * Stores a file as a blob without buffering it. It is hashed first, and again while it is sent: its last bytes are sent only if it has not
 * changed.
 */
export async function commitFile(puts: BlobPuts, commit: FileCommit): Promise<void> {
  const { source, mote, mode, signal } = commit;
  const { file, size } = await openSource(source);
  try {
    const sha256 = await verifyFile(file, { ...commit, size });
    const isStored = await puts.isStored(mote.digest, { signal });
    if (!isStored && size <= (commit.maxPutBytes ?? maxPutBytes)) {
      await puts.put(mote, payloadOf(file, { start: 0, end: size, sha256 }, signal), { sha256, signal });
    } else if (!isStored) {
      await sendInParts(puts, file, { ...commit, size });
    }
  } finally {
    await file.close();
  }
  if (mode === "move") await rm(source);
}

async function openSource(source: string): Promise<{ readonly file: FileHandle; readonly size: number }> {
  const failure = (error: unknown) =>
    new MoteError(
      isAbsent(error) ? "MOTE_NOT_FOUND" : "MOTE_IO",
      `cannot read ${source}: ${reasonOf(error)}; check the file`,
      { cause: error },
    );
  // Opening a FIFO would block otherwise.
  const file = await open(source, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((error: unknown) => {
    throw failure(error);
  });
  const stats = await file.stat();
  if (stats.isFile()) return { file, size: stats.size };
  await file.close();
  throw failure(new Error(`it is ${fileKind(stats)}, not a regular file`));
}

/** Returns the SHA-256 in hex. @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH */
async function verifyFile(
  file: FileHandle,
  { mote, size, signal }: FileCommit & { readonly size: number },
): Promise<string> {
  const { digest } = mote;
  if (mote.size !== undefined && mote.size !== size)
    throw new MoteError("MOTE_SIZE_MISMATCH", `${digest} has ${mote.size} bytes, but the file has ${size}`);
  const verifier = new ContentVerifier({ digest, size });
  const hash = sha256Of(digest) === undefined ? createHash("sha256") : undefined;
  for await (const chunk of chunksOf(file, { start: 0, end: size }, signal)) {
    verifier.update(chunk);
    hash?.update(chunk);
  }
  verifier.finish();
  return hash?.digest("hex") ?? digestEncoded(digest);
}

async function sendInParts(
  puts: BlobPuts,
  file: FileHandle,
  { mote, size, signal }: FileCommit & { readonly size: number },
): Promise<void> {
  const upload = await puts.startUpload(mote, { signal });
  const partBytes = Math.max(minPartBytes, Math.ceil(size / maxParts));
  const verifier = new ContentVerifier({ digest: mote.digest, size });
  try {
    for (let start = 0, number = 1; start < size; start += partBytes, number++) {
      const range = { start, end: Math.min(size, start + partBytes) };
      const hash = createHash("sha256");
      // What is sent is what is verified: the part is hashed with the blob, and the service compares the part with its hash.
      for await (const chunk of chunksOf(file, range, signal)) {
        hash.update(chunk);
        verifier.update(chunk);
      }
      const sha256 = hash.digest("hex");
      await upload.sendPart(number, payloadOf(file, { ...range, sha256 }, signal), { sha256, signal });
    }
    verifier.finish();
    await upload.complete({ size, signal });
  } catch (error) {
    await upload.abort().catch(() => {});
    throw error;
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Returns a range of a file as a payload. Its last chunk is sent only if its bytes still have the hash. */
function payloadOf(
  file: FileHandle,
  range: Range & { readonly sha256: string },
  signal: AbortSignal | undefined,
): Payload {
  const { start, end, sha256 } = range;
  return {
    size: end - start,
    async *open() {
      const hash = createHash("sha256");
      let held: Uint8Array | undefined;
      for await (const chunk of chunksOf(file, range, signal)) {
        hash.update(chunk);
        if (held !== undefined) yield held;
        held = chunk;
      }
      if (hash.digest("hex") !== sha256)
        throw new MoteError("MOTE_DIGEST_MISMATCH", "the file was changed while it was read; do not write to it");
      if (held !== undefined) yield held;
    },
  };
}

/** Yields chunks whose memory is not reused. @throws MOTE_SIZE_MISMATCH if the file has become shorter */
async function* chunksOf(file: FileHandle, { start, end }: Range, signal: AbortSignal | undefined) {
  for (let at = start; at < end; ) {
    signal?.throwIfAborted();
    const memory = new Uint8Array(Math.min(chunkBytes, end - at));
    const { bytesRead } = await file.read(memory, 0, memory.byteLength, at).catch((cause: unknown) => {
      throw new MoteError("MOTE_IO", `cannot read the file: ${errorCode(cause) ?? "error"}`, { cause });
    });
    if (bytesRead === 0)
      throw new MoteError("MOTE_SIZE_MISMATCH", "the file was shortened while it was read; do not write to it");
    at += bytesRead;
    yield memory.subarray(0, bytesRead);
  }
}
