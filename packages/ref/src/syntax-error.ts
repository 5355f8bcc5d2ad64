import { MoteError } from "@mote/core";

/** Why a text is no reference, found while scanning. Only `parseRef` sees it; everybody else sees a `MoteError`. */
export class RefSyntaxError extends Error {
  /** Where in the text, in UTF-16 units. */
  readonly position: number;
  /** What may have been meant, best first. Not checked: what does not parse is never suggested. */
  readonly guesses: readonly string[];

  constructor(position: number, reason: string, guesses: readonly string[] = []) {
    super(reason);
    this.position = position;
    this.guesses = guesses;
  }
}

const longestShown = 160;

export function invalidReference(text: string, fault: RefSyntaxError, parses: (guess: string) => boolean): MoteError {
  const withSlashes = text.replace(/^docker:\/?(?!\/)/, "docker://");
  const suggestion = [...fault.guesses, text.trim(), text.toLowerCase(), withSlashes].find(
    (guess) => guess !== text && parses(guess),
  );
  const safeText = withoutCredentials(text);
  const shown = JSON.stringify(safeText.length > longestShown ? `${safeText.slice(0, longestShown)}…` : safeText);
  const advice = suggestion === undefined ? "see the grammar in the README of @mote/ref" : `did you mean ${suggestion}`;
  return new MoteError(
    "MOTE_INVALID_REFERENCE",
    `${shown} is no reference, at character ${fault.position + 1}: ${fault.message}; ${advice}`,
    {
      details: {
        text: safeText,
        position: fault.position,
        reason: fault.message,
        ...(suggestion === undefined ? {} : { suggestion }),
      },
    },
  );
}

/** `user:password@host/…` typed into a reference must not reach a log. What is not sure to be harmless is left out. */
function withoutCredentials(text: string): string {
  const slashes = text.indexOf("://");
  const start = slashes < 0 ? 0 : slashes + 3;
  const at = lastAtOfNoDigest(text);
  const hasPassword = at > start && text.slice(start, at).includes(":");
  const mayBeHost = slashes >= 0 || /[./]/.test(text.slice(at));
  return hasPassword && mayBeHost ? `${text.slice(0, start)}***${text.slice(at)}` : text;
}

function lastAtOfNoDigest(text: string): number {
  const at = text.lastIndexOf("@");
  const isDigest = at > 0 && ["sha256:", "sha384:", "sha512:"].some((algorithm) => text.startsWith(algorithm, at + 1));
  return isDigest ? text.lastIndexOf("@", at - 1) : at;
}
