import type { Cancellable } from "@mote/core";

/** Compresses content into the same bytes as the program that it is named after. */
export interface Encoder {
  /** The compression, and what made it with its level, such as `gzip:go1.26-6`. */
  readonly name: string;
  /** Returns whether a blob that begins with these bytes may be its output. */
  probe(start: Uint8Array): boolean;
  /** Compresses content. Ending the iteration early ends the encoder. */
  encode(content: AsyncIterable<Uint8Array>, options?: Cancellable): AsyncIterable<Uint8Array>;
}
