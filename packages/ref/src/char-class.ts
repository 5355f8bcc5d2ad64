// Character classes are bits in a table, because regular expressions could backtrack.
const LOWER_OR_DIGIT = 1;
const UPPER = 2;
const DIGIT = 4;
const HEX = 8;
/** Allowed in a tag after its first character. */
const TAG = 16;
/** Allowed as the first character of a tag. */
const WORD = 32;

const classes = new Uint8Array(128);
mark("abcdefghijklmnopqrstuvwxyz", LOWER_OR_DIGIT | TAG | WORD);
mark("ABCDEFGHIJKLMNOPQRSTUVWXYZ", UPPER | TAG | WORD);
mark("0123456789", LOWER_OR_DIGIT | DIGIT | HEX | TAG | WORD);
mark("abcdefABCDEF", HEX);
mark("_", TAG | WORD);
mark(".-", TAG);

function mark(characters: string, bits: number): void {
  for (const character of characters) {
    const code = character.charCodeAt(0);
    classes[code] = (classes[code] ?? 0) | bits;
  }
}

function has(code: number, bits: number): boolean {
  return ((classes[code] ?? 0) & bits) !== 0;
}

export const isLowerOrDigit = (code: number): boolean => has(code, LOWER_OR_DIGIT);
export const isUpper = (code: number): boolean => has(code, UPPER);
export const isAlphanumeric = (code: number): boolean => has(code, LOWER_OR_DIGIT | UPPER);
export const isDigit = (code: number): boolean => has(code, DIGIT);
export const isHex = (code: number): boolean => has(code, HEX);
export const isTagCharacter = (code: number): boolean => has(code, TAG);
export const isWord = (code: number): boolean => has(code, WORD);
export const isControl = (code: number): boolean => code < 0x20 || code === 0x7f;

export const COLON = 0x3a;
export const SLASH = 0x2f;
export const AT = 0x40;
export const DOT = 0x2e;
export const DASH = 0x2d;
export const UNDERSCORE = 0x5f;
export const BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
