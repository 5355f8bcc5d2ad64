import { type Descriptor, digestAlgorithm, digestBytes } from "@mote/core";

/** The content that a descriptor carries itself (image-spec, descriptor.md, `data`), if it is what the descriptor says. */
export function inlinedBytes({ data, digest, size }: Descriptor): Uint8Array | undefined {
  if (data === undefined || data.length !== 4 * Math.ceil(size / 3)) return undefined;
  let text: string;
  try {
    text = atob(data);
  } catch {
    return undefined;
  }
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const isWhole = bytes.byteLength === size && digestBytes(bytes, digestAlgorithm(digest)) === digest;
  return isWhole ? bytes : undefined;
}
