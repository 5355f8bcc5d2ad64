import type { Encoder } from "./encoder.js";
import { GoEncoders } from "./go-encoders.js";
import { untransformedEncoder } from "./untransformed-encoder.js";
import { zlibEncoders } from "./zlib-encoders.js";

/** Encoders, and what they have started. */
export interface Encoders extends AsyncDisposable {
  /** The likeliest first. */
  readonly list: readonly Encoder[];
}

/** Returns the built-in encoders: Go's and klauspost's, in threads that are started when needed, Node's zlib, and one for layers without compression. Dispose of them. */
export function builtInEncoders(): Encoders {
  const go = new GoEncoders();
  return {
    list: [...go.list, ...zlibEncoders, untransformedEncoder],
    [Symbol.asyncDispose]: () => go[Symbol.asyncDispose](),
  };
}
