import { createHash } from "node:crypto";

/** Longer names of files are not possible on services that store objects as files. */
const maxSegmentLength = 180;
/** With the longest prefix, a key stays below S3's limit of 1024 bytes. */
const maxLength = 500;

/** Whether each ASCII character stands for itself. The others would be out of order, or are special in keys, URLs or file names. */
const plain = Array.from({ length: 128 }, (_, code) => /[-.0-9:@A-Z_a-z]/.test(String.fromCharCode(code)));

/**
 * Encodes the beginning of a name as the beginning of a key. Keys are in the order of names (UTF-16 code units), and no segment of a key is
 * empty or made of dots: each begins with `=`. Every other character that does not stand for itself is two or four hex digits after a
 * character that is in its place: `!` below `-`, `=` and `^` between plain ones, `~` above `z`.
 */
function encodeCharacters(name: string): string {
  let text = "=";
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code === 0x2f) text += "/=";
    else if (plain[code]) text += name[at];
    else text += escapeOf(code) + code.toString(16).padStart(code < 0x7b ? 2 : 4, "0");
  }
  return text;
}

function escapeOf(code: number): string {
  if (code < 0x2d) return "!";
  if (code < 0x41) return "=";
  if (code < 0x60) return "^";
  return code === 0x60 ? "`" : "~";
}

/**
 * Returns the length at which an encoded name is too long for a key; undefined if it is not. It depends only on the text before it, so that
 * all names that are cut have the same beginning if their keys have.
 */
function cutOf(encoded: string): number | undefined {
  let segment = 0;
  for (let at = 0; at < encoded.length; at++) {
    if (at === maxLength || at - segment === maxSegmentLength) return at;
    if (encoded[at] === "/") segment = at + 1;
  }
  return undefined;
}

/** Returns the key of a tag below the folder of tags. It ends in `!`, which is before all that may follow in a longer name. */
export function tagKey(name: string): string {
  const encoded = encodeCharacters(name);
  const cut = cutOf(encoded);
  if (cut === undefined) return `${encoded}!`;
  const hash = createHash("sha256").update(Buffer.from(name, "utf16le")).digest("hex");
  return `${encoded.slice(0, cut)}~~${hash}!`;
}

/** Returns the beginning that all keys have whose names begin with `prefix`. */
export function tagKeyPrefix(prefix: string): string {
  const encoded = encodeCharacters(prefix);
  return encoded.slice(0, cutOf(encoded) ?? encoded.length);
}

/** Returns a key after which the keys of all names after `name` are. */
export function tagKeyBefore(name: string): string {
  const encoded = encodeCharacters(name);
  const cut = cutOf(encoded);
  return cut === undefined ? `${encoded}!` : encoded.slice(0, cut);
}

/**
 * Returns what keys of tags with long names have in common; their order among each other is not that of their names. Undefined for other
 * keys.
 */
export function longNameGroup(key: string): string | undefined {
  return /^(.*)~~[0-9a-f]{64}!$/s.exec(key)?.[1];
}
