import { ErrorResponse } from "./response.js";

/** Characters of path and query. A registry's longest are a few hundred; Node takes 16 KiB of a request's whole head. */
const longestTarget = 8192;

export interface RequestTarget {
  /** Decoded, without the empty one before the first slash. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

/**
 * Reads path and query as they came. Nothing is normalised, for a proxy in front may have looked at the same text: dot segments, encoded
 * slashes and control characters are refused. @throws Refusal
 */
export function parseTarget(target: string): RequestTarget {
  if (target.length > longestTarget) {
    throw new ErrorResponse(414, "UNSUPPORTED", `path and query have more than ${longestTarget} characters`);
  }
  if (!target.startsWith("/") || target.includes("#")) throw new ErrorResponse(400, "NAME_INVALID", "not a path");
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  return {
    segments: path.slice(1).split("/").map(decodeSegment),
    query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
  };
}

function decodeSegment(segment: string): string {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch {
    throw new ErrorResponse(400, "NAME_INVALID", "the path is not percent-encoded UTF-8");
  }
  if (text === "." || text === ".." || /[/\\\p{Cc}]/u.test(text)) {
    throw new ErrorResponse(
      400,
      "NAME_INVALID",
      "a segment of the path is a dot segment, or has a slash or a control character",
    );
  }
  return text;
}

/** The target with everything encoded that a terminal or a log could take for something else. */
export function printableTarget(target: string): string {
  return target.replace(/[^\x21-\x7e]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    // Node gives a head's bytes as Latin-1.
    return code < 0x100 ? `%${code.toString(16).toUpperCase().padStart(2, "0")}` : encodeURIComponent(character);
  });
}
