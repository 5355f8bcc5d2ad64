import type { Cancellable } from "@mote/core";
import type { Encoder } from "./encoder.js";
import { readGzipHeader, withGzipHeader } from "./gzip-header.js";

/** The first bytes of content, to try encoders on. */
export interface ContentStart {
  readonly chunks: readonly Uint8Array[];
  /** Whether this is all of the content. */
  readonly isComplete: boolean;
}

/** Reads the first bytes of content, at least `bytes` if there are as many. */
export async function readStart(content: AsyncIterable<Uint8Array>, bytes: number): Promise<ContentStart> {
  const chunks: Uint8Array[] = [];
  let read = 0;
  for await (const chunk of content) {
    chunks.push(chunk);
    read += chunk.byteLength;
    if (read >= bytes) return { chunks, isComplete: false };
  }
  return { chunks, isComplete: true };
}

/** Compresses content with the header of the wanted blob, if it is gzip. */
export function encodeLike(
  start: Uint8Array,
  encoder: Encoder,
  content: AsyncIterable<Uint8Array>,
  options: Cancellable,
): AsyncIterable<Uint8Array> {
  const header = readGzipHeader(start);
  const encoded = encoder.encode(content, options);
  return header === undefined ? encoded : withGzipHeader(encoded, header.bytes);
}

/** Returns whether the output of an encoder begins as the wanted blob does, as far as the start of the content shows. */
export async function matchesStart(
  encoder: Encoder,
  content: ContentStart,
  wanted: Uint8Array,
  options: Cancellable,
): Promise<boolean> {
  let isPassed = false;
  async function* chunks() {
    yield* content.chunks;
    isPassed = true;
  }
  let at = 0;
  for await (const chunk of encodeLike(wanted, encoder, chunks(), options)) {
    // What an encoder writes at the end of an incomplete start is not what it writes in the middle.
    if (isPassed && !content.isComplete) return true;
    const expected = wanted.subarray(at, at + chunk.byteLength);
    if (Buffer.compare(chunk.subarray(0, expected.byteLength), expected) !== 0) return false;
    at += chunk.byteLength;
    if (at >= wanted.byteLength) return true;
  }
  return at >= wanted.byteLength || !content.isComplete;
}
