import { MoteError } from "@mote/core";

/** A syntax error in a reference. `parseRef` converts it to a `MoteError`. */
export class RefSyntaxError extends Error {
  /** The position in the text, in UTF-16 units. */
  readonly position: number;
  /** Possible corrections, the best first. Only those that parse are suggested. */
  readonly guesses: readonly string[];

  constructor(position: number, reason: string, guesses: readonly string[] = []) {
    super(reason);
    this.position = position;
    this.guesses = guesses;
  }
}

const maxShownLength = 160;

export function invalidReference(text: string, error: RefSyntaxError, parses: (guess: string) => boolean): MoteError {
  const withSlashes = text.replace(/^docker:\/?(?!\/)/, "docker://");
  const suggestion = [...error.guesses, text.trim(), text.toLowerCase(), withSlashes].find(
    (guess) => guess !== text && parses(guess),
  );
  const safeText = redactCredentials(text);
  const shown = JSON.stringify(safeText.length > maxShownLength ? `${safeText.slice(0, maxShownLength)}…` : safeText);
  const advice = suggestion === undefined ? "see the grammar in the README of @mote/ref" : `did you mean ${suggestion}`;
  return new MoteError(
    "MOTE_INVALID_REFERENCE",
    `${shown} is not a valid reference: ${error.message}, at character ${error.position + 1}; ${advice}`,
    {
      details: {
        text: safeText,
        position: error.position,
        reason: error.message,
        ...(suggestion === undefined ? {} : { suggestion }),
      },
    },
  );
}

/** Replaces the credentials of `user:password@host/…`, or what could be credentials, so that they are not logged. */
function redactCredentials(text: string): string {
  const slashes = text.indexOf("://");
  const start = slashes < 0 ? 0 : slashes + 3;
  const at = lastAtSign(text);
  const hasPassword = at > start && text.slice(start, at).includes(":");
  const mayBeHost = slashes >= 0 || /[./]/.test(text.slice(at));
  return hasPassword && mayBeHost ? `${text.slice(0, start)}***${text.slice(at)}` : text;
}

function lastAtSign(text: string): number {
  const at = text.lastIndexOf("@");
  const isDigest = at > 0 && ["sha256:", "sha384:", "sha512:"].some((algorithm) => text.startsWith(algorithm, at + 1));
  return isDigest ? text.lastIndexOf("@", at - 1) : at;
}
