import { ErrorResponse } from "./response.js";

/** The maximum length of path and query in characters. Those of registry requests have a few hundred. */
const maxTargetLength = 8192;

export interface RequestTarget {
  /** Percent-decoded segments of the path after the first slash. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

/**
 * Parses path and query without normalization, so that a proxy cannot read them differently: dot segments, encoded slashes and control
 * characters are rejected. @throws ErrorResponse
 */
export function parseRequestTarget(target: string): RequestTarget {
  if (target.length > maxTargetLength) {
    throw new ErrorResponse(414, "UNSUPPORTED", `path and query have more than ${maxTargetLength} characters`);
  }
  if (!target.startsWith("/") || target.includes("#"))
    throw new ErrorResponse(400, "NAME_INVALID", "the request target is not a path");
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
    throw new ErrorResponse(400, "NAME_INVALID", "the path is not valid percent-encoded UTF-8");
  }
  if (text === "." || text === ".." || /[/\\\p{Cc}]/u.test(text)) {
    throw new ErrorResponse(400, "NAME_INVALID", "the path has a dot segment, an encoded slash or a control character");
  }
  return text;
}

/** Percent-encodes all characters of a target that are not printable ASCII. */
export function printableTarget(target: string): string {
  return target.replace(/[^\x21-\x7e]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    // Node decodes request heads as Latin-1.
    return code < 0x100 ? `%${code.toString(16).toUpperCase().padStart(2, "0")}` : encodeURIComponent(character);
  });
}
