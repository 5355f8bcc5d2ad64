/** The maximum nesting of objects and arrays. Deeply nested documents take long to parse. */
const maxJsonDepth = 100;

export interface JsonDocumentOptions {
  /** `replace` replaces invalid UTF-8 with U+FFFD, as Go does. Default: `throw`. */
  readonly invalidUtf8?: "throw" | "replace" | undefined;
}

/** Parses a JSON document in UTF-8, with or without a byte order mark. @throws SyntaxError · TypeError for invalid UTF-8 */
export function parseJsonDocument(bytes: Uint8Array, { invalidUtf8 = "throw" }: JsonDocumentOptions = {}): unknown {
  if (depthOf(bytes) > maxJsonDepth) throw new SyntaxError(`it has more than ${maxJsonDepth} nested values`);
  return JSON.parse(new TextDecoder("utf-8", { fatal: invalidUtf8 === "throw" }).decode(bytes));
}

/** Parses a JSON document as `parseJsonDocument` does. Returns undefined if it is invalid or not an object. */
export function parseJsonRecord(bytes: Uint8Array, options?: JsonDocumentOptions): Record<string, unknown> | undefined {
  return recordOf(() => parseJsonDocument(bytes, options));
}

/** Parses a JSON text. Returns undefined if it is invalid or not an object. */
export function parseRecord(text: string): Record<string, unknown> | undefined {
  return recordOf(() => JSON.parse(text));
}

function recordOf(parse: () => unknown): Record<string, unknown> | undefined {
  try {
    const body = parse();
    return isRecord(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const [quote, backslash] = [0x22, 0x5c];
/** Brackets and braces differ in one bit. */
const [bit, opening, closing] = [0x20, 0x7b, 0x7d];

/** Returns the maximum nesting of brackets outside of strings. The text need not be valid JSON. */
function depthOf(bytes: Uint8Array): number {
  let [depth, deepest] = [0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === quote) at = endOfString(bytes, at);
    else if ((byte | bit) === opening) deepest = Math.max(deepest, ++depth);
    else if ((byte | bit) === closing) depth--;
  }
  return deepest;
}

/** Returns the position of the quote that ends a string, or the length of the text. Most of a manifest is in strings. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let from = start + 1; ; ) {
    const end = bytes.indexOf(quote, from);
    if (end < 0) return bytes.length;
    let slashes = 0;
    while (end - slashes > from && bytes[end - slashes - 1] === backslash) slashes++;
    if (slashes % 2 === 0) return end;
    from = end + 1;
  }
}
