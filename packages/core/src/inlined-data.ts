import type { Descriptor } from "./descriptor.js";
import { digestAlgorithm, digestBytes } from "./digest.js";

/** Decodes and verifies the `data` of a descriptor (image-spec, descriptor.md). Returns undefined if it is missing or wrong. */
export function inlinedBytes({ data, digest, size }: Descriptor): Uint8Array | undefined {
  if (data === undefined || data.length !== 4 * Math.ceil(size / 3)) return undefined;
  let text: string;
  try {
    text = atob(data);
  } catch {
    return undefined;
  }
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const isValid = bytes.byteLength === size && digestBytes(bytes, digestAlgorithm(digest)) === digest;
  return isValid ? bytes : undefined;
}
