import type { Ref } from "@mote/core";
import { readRegistryRef } from "./registry-ref.js";
import { invalidReference, RefSyntaxError } from "./syntax-error.js";
import { knownTransports, type TransportTable } from "./transport-table.js";

export interface ParseRefOptions {
  /** The folder that `~` at the front of a path stands for. Without it `~` stays: parsing asks nothing of the machine. */
  readonly home?: string | undefined;
  /** Deerror: the transports that mote knows. */
  readonly transports?: TransportTable | undefined;
}

/**
 * Reads a reference as Docker, Podman, skopeo, oras and regctl write it, and normalises it. Text without a transport is a
 * registry's. The grammar is in the README.
 * @throws MOTE_INVALID_REFERENCE with details `{ text, position, reason, suggestion? }`; position in UTF-16 units from 0
 */
export function parseRef(text: string, options: ParseRefOptions = {}): Ref {
  if (typeof text !== "string") throw new TypeError("parseRef takes a string");
  try {
    return readRef(text, options);
  } catch (error) {
    if (!(error instanceof RefSyntaxError)) throw error;
    throw invalidReference(text, error, (guess) => parses(guess, options));
  }
}

function parses(text: string, options: ParseRefOptions): boolean {
  try {
    readRef(text, options);
    return true;
  } catch (error) {
    if (error instanceof RefSyntaxError) return false;
    throw error;
  }
}

function readRef(text: string, { home, transports = knownTransports }: ParseRefOptions): Ref {
  const colon = text.indexOf(":");
  if (colon < 0) return readNameOrRefusePath(text);
  const name = text.slice(0, colon);
  const row = transports.find(name);
  if (row !== undefined && text.startsWith(row.prefix)) return row.parse(text, row.prefix.length, { home });
  if (!text.startsWith("//", colon + 1)) return readNameOrRefusePath(text);
  const start = colon + 3;
  if (name === "http" || name === "https") return readRegistryRef(text, start, name);
  throw new RefSyntaxError(0, "what stands before :// is not a known transport", [
    name.toLowerCase() + text.slice(colon),
    `docker://${text.slice(start)}`,
  ]);
}

function readNameOrRefusePath(text: string): Ref {
  if (looksLikePath(text)) {
    const transport = text.endsWith(".tar") ? "oci-archive" : "oci";
    throw new RefSyntaxError(0, "a path needs a transport in front", [`${transport}:${text}`]);
  }
  return readRegistryRef(text, 0);
}

function looksLikePath(text: string): boolean {
  const first = text[0];
  if (first === "/" || first === "~" || first === ".") return true;
  return text[1] === ":" && (text[2] === "\\" || text[2] === "/");
}
