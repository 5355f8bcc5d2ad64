import { MoteError, messageOf } from "@mote/core";

/** A line of a list of images. */
export interface ListLine {
  /** From 1. */
  readonly line: number;
  readonly source: string;
  readonly name?: string | undefined;
}

const maxLines = 100_000;

/** Reads a list: one `SRC` or `SRC NAME` a line; `#` starts a comment. @throws MOTE_INVALID_REFERENCE if it is not text · MOTE_TOO_LARGE */
export function readList(text: string): readonly (ListLine & { readonly error?: MoteError })[] {
  if (text.includes("\0")) {
    const message = "cannot read the list: it is not UTF-8 text; name a file with a reference in each line";
    throw new MoteError("MOTE_INVALID_REFERENCE", message, {
      details: { text: text.slice(0, 160), position: text.indexOf("\0"), reason: "not text" },
    });
  }
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines.length > maxLines) {
    throw new MoteError("MOTE_TOO_LARGE", `the list has more than ${maxLines} lines; split it`, {
      details: { maxLines },
    });
  }
  return lines.flatMap((text, at) => {
    const [source, name, ...more] = text
      .replace(/(?:^|\s)#.*$/, "")
      .split(/\s+/)
      .filter(Boolean);
    if (source === undefined) return [];
    const line = { line: at + 1, source, ...(name === undefined ? {} : { name }) };
    if (more.length === 0) return [line];
    return [{ ...line, error: badLine(at + 1, `it has ${more.length + 2} words; write SRC or SRC NAME`) }];
  });
}

/** Returns the error for a line of a list, with its number. */
export function badLine(line: number, cause: unknown): MoteError {
  const why = typeof cause === "string" ? cause : messageOf(cause);
  const code = MoteError.isInstance(cause) ? cause.code : "MOTE_INVALID_REFERENCE";
  return new MoteError(code, `line ${line} of the list is not valid: ${why}`, {
    details: { line },
    ...(typeof cause === "string" ? {} : { cause }),
  });
}
