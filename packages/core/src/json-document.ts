/** Objects and arrays inside one another. No document of the specifications needs ten, and very deep ones take long to parse. */
const maxJsonDepth = 100;

export interface JsonDocumentOptions {
  /** Bytes that are not UTF-8 become U+FFFD, as in Go. Default: `throw`. */
  readonly invalidUtf8?: "throw" | "replace" | undefined;
}

/** Parses a JSON document in UTF-8, with or without a byte order mark. @throws SyntaxError · TypeError where it is not UTF-8 */
export function parseJsonDocument(bytes: Uint8Array, { invalidUtf8 = "throw" }: JsonDocumentOptions = {}): unknown {
  if (depthOf(bytes) > maxJsonDepth) throw new SyntaxError(`it is nested more than ${maxJsonDepth} deep`);
  return JSON.parse(new TextDecoder("utf-8", { fatal: invalidUtf8 === "throw" }).decode(bytes));
}

const [quote, backslash] = [0x22, 0x5c];
const opening: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const closing: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/** Of the deepest place, as far as brackets tell: whether the text is JSON is for the parser to say. */
function depthOf(bytes: Uint8Array): number {
  let [depth, deepest] = [0, 0];
  let isText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === quote) isText = !isText;
    else if (isText) at += byte === backslash ? 1 : 0;
    else if (opening.has(byte)) deepest = Math.max(deepest, ++depth);
    else if (closing.has(byte)) depth--;
  }
  return deepest;
}
