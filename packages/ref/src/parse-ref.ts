import type { Ref } from "@mote/core";
import { readDaemonRef, readHashRef, readLayoutRef, readPlainPath, readStorageRef } from "./path-ref.js";
import { readRegistryRef } from "./registry-ref.js";
import { invalidReference, RefSyntaxError } from "./syntax-error.js";

export interface ParseRefOptions {
  /** The folder that `~` at the front of a path stands for. Without it `~` stays: parsing asks nothing of the machine. */
  readonly home?: string | undefined;
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
  } catch (fault) {
    if (!(fault instanceof RefSyntaxError)) throw fault;
    throw invalidReference(text, fault, (guess) => parses(guess, options));
  }
}

function parses(text: string, options: ParseRefOptions): boolean {
  try {
    readRef(text, options);
    return true;
  } catch (fault) {
    if (fault instanceof RefSyntaxError) return false;
    throw fault;
  }
}

function readRef(text: string, { home }: ParseRefOptions): Ref {
  const colon = text.indexOf(":");
  if (colon < 0) return readNameOrRefusePath(text);
  const transport = text.slice(0, colon);
  const start = colon + 1;
  switch (transport) {
    case "oci":
    case "oci-archive":
    case "docker-archive":
      return readLayoutRef(text, start, transport, home);
    case "dir":
    case "tarball":
      return readPlainPath(text, start, transport, home);
    case "docker-daemon":
      return readDaemonRef(text, start);
    case "containers-storage":
      return readStorageRef(text, start);
    default:
      return text.startsWith("//", start) ? readUrl(text, transport, start + 2, home) : readNameOrRefusePath(text);
  }
}

function readUrl(text: string, transport: string, start: number, home: string | undefined): Ref {
  switch (transport) {
    case "docker":
      refuseUrlWithin(text, start);
      return readRegistryRef(text, start);
    case "http":
    case "https":
      return readRegistryRef(text, start, transport);
    case "ocidir":
      return readLayoutRef(text, start, transport, home);
    case "hash":
      return readHashRef(text, start);
    default:
      throw new RefSyntaxError(0, "what stands before :// is no transport that is known", [
        transport.toLowerCase() + text.slice(start - 3),
        `docker://${text.slice(start)}`,
      ]);
  }
}

function refuseUrlWithin(text: string, start: number): void {
  for (const scheme of ["https://", "http://"]) {
    if (text.startsWith(scheme, start)) {
      throw new RefSyntaxError(start, "docker:// and a URL's scheme are one too many", [text.slice(start)]);
    }
  }
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
