import type { Ref } from "@mote/core";
import { parseRegistryRef } from "./registry-ref.js";
import { invalidReference, RefSyntaxError } from "./syntax-error.js";
import { knownTransports, type TransportTable } from "./transport-table.js";

export interface ParseRefOptions {
  /** The home folder, which replaces a leading `~` of a path. Default: `~` is not replaced. */
  readonly home?: string | undefined;
  /** Default: `knownTransports`. */
  readonly transports?: TransportTable | undefined;
}

/**
 * Parses and normalizes a reference of Docker, Podman, skopeo, oras or regctl. Text without a transport is a reference on a registry. The
 * grammar is in the README.
 * @throws MOTE_INVALID_REFERENCE with details `{ text, position, reason, suggestion? }`; the position is in UTF-16 units from 0
 */
export function parseRef(text: string, options: ParseRefOptions = {}): Ref {
  if (typeof text !== "string") throw new TypeError("the reference must be a string");
  try {
    return parseText(text, options);
  } catch (error) {
    if (!(error instanceof RefSyntaxError)) throw error;
    throw invalidReference(text, error, (guess) => parses(guess, options));
  }
}

function parses(text: string, options: ParseRefOptions): boolean {
  try {
    parseText(text, options);
    return true;
  } catch (error) {
    if (error instanceof RefSyntaxError) return false;
    throw error;
  }
}

function parseText(text: string, { home, transports = knownTransports }: ParseRefOptions): Ref {
  const colon = text.indexOf(":");
  if (colon < 0) return parseNameRejectingPath(text);
  const name = text.slice(0, colon);
  const row = transports.find(name);
  if (row !== undefined && text.startsWith(row.prefix)) return row.parse(text, row.prefix.length, { home });
  if (!text.startsWith("//", colon + 1)) return parseNameRejectingPath(text);
  const start = colon + 3;
  if (name === "http" || name === "https") return parseRegistryRef(text, start, name);
  throw new RefSyntaxError(0, "the text before :// is not a known transport", [
    name.toLowerCase() + text.slice(colon),
    `docker://${text.slice(start)}`,
  ]);
}

function parseNameRejectingPath(text: string): Ref {
  if (looksLikePath(text)) {
    const transport = text.endsWith(".tar") ? "oci-archive" : "oci";
    throw new RefSyntaxError(0, "a path must have a transport prefix", [`${transport}:${text}`]);
  }
  return parseRegistryRef(text, 0);
}

function looksLikePath(text: string): boolean {
  const first = text[0];
  if (first === "/" || first === "~" || first === ".") return true;
  return text[1] === ":" && (text[2] === "\\" || text[2] === "/");
}
